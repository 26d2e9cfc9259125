/*
 * environment: the agent's settings, in the environment of the process.
 *
 * A Python that was told not to trust its environment (-E, -I) makes the agent ignore it, too:
 * whoever can set our variables should have no say in that process.
 */
#ifndef STEM_AGENT_ENVIRONMENT_H
#define STEM_AGENT_ENVIRONMENT_H

/* Like getenv(), but NULL when the environment is ignored. */
const char *environment_get(const char *name);

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
