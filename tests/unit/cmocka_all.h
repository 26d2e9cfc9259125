/* cmocka.h with all that it needs before it. */
#ifndef STEM_CMOCKA_ALL_H
#define STEM_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
