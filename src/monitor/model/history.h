/*
 * history: the last answer of each server, to compare with.
 */
#ifndef STEM_HISTORY_H
#define STEM_HISTORY_H

#include "monitor/model/snapshot.h"

typedef struct history history_t;

/* Nothing remembered yet. Never NULL. */
history_t *history_new(void);

/* Frees it and sets *self to NULL; *self may be NULL. */
void history_destroy(history_t **self);

/*
 * The last answer of each server, in the order of the snapshots; a server that never answered has
 * none there. Only parsed, not as text, and without samples; what it doesn't say is taken from the
 * answer before it. A server that failed the last time also has its error. NULL if there was no
 * snapshot yet. Valid until history_remember().
 */
const snapshot_t *history_previous(const history_t *self);

/* Takes a snapshot over, and sets *snapshot to NULL: its answers are the last ones from now on. */
void history_remember(history_t *self, snapshot_t **snapshot);

#endif
