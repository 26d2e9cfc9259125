/*
 * environment: the agent's settings, in the environment of the process.
 *
 * The agent has threads of its own, while the process's may call setenv() at any moment, and free
 * what getenv() is looking at. So all that is wanted is read once, at the first call of any of the
 * functions that return something, and in a way that finds freed memory instead of crashing in it.
 *
 * A Python that was told not to trust its environment (-E, -I) makes the agent ignore it, too:
 * whoever can set our variables should have no say in that process.
 */
#ifndef STEM_AGENT_ENVIRONMENT_H
#define STEM_AGENT_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

/* The value of one of our own variables; NULL if it isn't set, or when the environment is ignored.
 * It lives as long as the process. */
const char *environment_get(const char *name);

/* TANGO_HOST, ignored or not; NULL if it isn't set. */
const char *environment_tango_host(void);

/*
 * Copies the value that any variable has now; one of more than 511 bytes is cut off. False if it
 * isn't set. Where a process can't read its own memory (process_vm_readv), what it had when the
 * process began.
 */
bool environment_read(const char *name, char *value, size_t size);

/* Makes the agent ignore the environment from now on; call it before the server's
 * Util::server_init. */
void environment_ignore(void);

/*
 * From now on a variable has this value, ignored or not: attach can't change the environment of a
 * process that runs. Both live as long as the process; at most 4 variables, before other threads
 * read them.
 */
void environment_replace(const char *name, const char *value);

#endif
