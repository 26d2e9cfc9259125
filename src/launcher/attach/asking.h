/*
 * asking: asks the agent in a running process, and says what came of it.
 */
#ifndef LAUNCHER_ASKING_H
#define LAUNCHER_ASKING_H

#include <stdbool.h>
#include <stddef.h>

#include "process/process.h"

/* Prints a line about a process: on standard error, and returns false; or on standard output. */
bool asking_failed(const process_t *process, const char *line);
void asking_done(const process_t *process, const char *line);

/* Says why there is no agent in it that could be asked, and what to do. Returns false. */
bool asking_no_agent(const process_t *process);

/*
 * Sends the agent a request, and waits so long for its answer, which the caller frees. NULL after
 * asking_failed().
 */
char *asking_ask(const process_t *process, const char *request, double timeout_seconds,
                 size_t *size);

#endif
