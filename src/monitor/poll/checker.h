/*
 * checker: threads that try out what no answer says, for what a snapshot shows to be in trouble:
 * event channels without heartbeats, subscriptions that aren't connected.
 *
 * What is tried is named by the answers of watched servers. A hostile one may name any address: so
 * many are checked at most, not more than a few in a second, and each at most every 30 s. Nothing
 * waits for a check: its result comes with the first snapshot after it, and is in each one for as
 * long as the trouble lasts.
 */
#ifndef STEM_CHECKER_H
#define STEM_CHECKER_H

#include <stdbool.h>

#include "monitor/model/snapshot.h"

/* So many subjects of each kind are checked; others, in the order of a snapshot, are not. */
#define CHECKER_MAXIMUM 64

/* From a check to the next of the same subject. */
#define CHECKER_AGAIN_SECONDS 30

typedef struct checker checker_t;

/*
 * Starts its threads, which inherit the mask of signals; tango_client_init() must have been called.
 * NULL on failure, and then *error says why; the caller frees it.
 */
checker_t *checker_new(char **error);

/* Takes note of what in a snapshot is to be checked, and adds the newest results to it. */
void checker_look(checker_t *self, snapshot_t *snapshot);

/*
 * Ends the threads, frees it and sets *self to NULL; *self may be NULL. Returns false if a thread
 * hangs in a call: it is left running with all that it uses, and the program must end with _exit().
 */
bool checker_destroy(checker_t **self);

#endif
