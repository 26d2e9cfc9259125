/*
 * machine_code: as much of x86-64's as is needed to know what a function returns that does nothing
 * else, without calling it.
 */
#ifndef STEM_MACHINE_CODE_H
#define STEM_MACHINE_CODE_H

#include <stddef.h>
#include <stdint.h>

/*
 * The number that a function returns, which begins with these bytes: mov $number,%eax and ret, with
 * or without endbr64 and a frame. 0 if it is any other function.
 */
uint32_t machine_code_returned(const unsigned char *code, size_t size);

#endif
