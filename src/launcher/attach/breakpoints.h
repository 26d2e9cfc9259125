/*
 * breakpoints: whether a process has breakpoints where loading a library passes: a debugger that
 * was killed leaves them, and then the process ends at the first.
 */
#ifndef LAUNCHER_BREAKPOINTS_H
#define LAUNCHER_BREAKPOINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "process/target.h"

/*
 * Whether one is at the beginning of one of these functions (0: none), or anywhere in the dynamic
 * loader, where gdb has its own. That is compared with its file; if that can't be read, or is
 * another one by now, only the functions are looked at.
 */
bool breakpoints_are_there(const target_t *target, const uint64_t *functions, size_t count);

#endif
