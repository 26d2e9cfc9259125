/*
 * finder: looks for processes of this machine that have begun since, in a thread of its own, since
 * those that don't answer take time.
 */
#ifndef STEM_FINDER_H
#define STEM_FINDER_H

#include <stdbool.h>

#include "monitor/poll/local_process.h"

typedef struct finder finder_t;

/* timeout: that a process has to say what it is, in seconds. NULL if there is no thread for it;
 * then *error says why, and the caller frees it. */
finder_t *finder_new(double timeout, char **error);

/*
 * What has been found since: processes that it hasn't returned before, and that have answered. The
 * caller clears the list. Never waits; the next search begins now.
 */
local_processes_t finder_take(finder_t *self);

/* A process that was returned couldn't be connected to: the next search is to find it once more. */
void finder_find_again(finder_t *self, pid_t pid);

/* Ends it and sets *self to NULL; *self may be NULL. False if its thread hangs: it is left running
 * with all that it uses. */
bool finder_destroy(finder_t **self);

#endif
