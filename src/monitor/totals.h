/*
 * totals: what came of a whole run: polls and failures of each server, events and losses of each
 * stream. It adds up what changed from poll to poll, so that restarts in between don't count as
 * negative numbers.
 */
#ifndef STEM_TOTALS_H
#define STEM_TOTALS_H

#include <stdint.h>
#include <stdio.h>

#include "monitor/comparison.h"
#include "monitor/snapshot.h"
#include "monitor/terminal.h"

typedef struct totals totals_t;

/* Nothing counted yet. Only streams that the filter takes are counted; it is copied. Never NULL. */
totals_t *totals_new(const stream_filter_t *filter);

/* Frees it and sets *self to NULL; *self may be NULL. */
void totals_destroy(totals_t **self);

/*
 * Adds a snapshot; previous has the last answers before it (see history_previous()), or is NULL.
 * What happened before a server's first answer isn't counted.
 */
void totals_add(totals_t *self, const snapshot_t *previous, const snapshot_t *current);

/*
 * Prints the totals to out: one line for the run, then the servers that failed or restarted, the
 * streams that were pushed and the subscriptions that received, those with most losses first.
 * Prints nothing before the second snapshot, since there is nothing to add up.
 */
void totals_print(const totals_t *self, FILE *out, const text_style_t *style);

/*
 * Writes the same as one JSON object {"totals": ...} without a line feed; of all servers and
 * streams, also those where nothing happened.
 */
void totals_write_json(const totals_t *self, FILE *out);

/* Events lost so far, on all streams. */
int64_t totals_lost_events(const totals_t *self);

#endif
