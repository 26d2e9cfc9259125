/*
 * guard: calls a C++ function from C, and catches its exceptions before they reach the server.
 */
#ifndef STEM_AGENT_GUARD_H
#define STEM_AGENT_GUARD_H

#include <stdbool.h>

typedef void guard_function_t(void *argument);

/*
 * Calls function(argument). Returns true if it returned, false if it threw a C++ exception, which
 * is then destroyed. Where the architecture isn't known (see guard.c), or the C++ runtime isn't
 * loaded, exceptions pass through.
 */
bool guard_call(guard_function_t *function, void *argument);

#endif
