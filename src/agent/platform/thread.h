/*
 * thread: threads of the agent's own in a process that isn't ours.
 */
#ifndef STEM_AGENT_THREAD_H
#define STEM_AGENT_THREAD_H

#include <stdbool.h>

typedef void *thread_main_t(void *unused);

/*
 * Starts one that nobody waits for, in which all signals are blocked: they are the process's own.
 * Its stack of 1 MB has to have room for the process's thread-local variables, too, of which a
 * Python may have many. False if that fails.
 */
bool thread_start(thread_main_t *main);

#endif
