/*
 * comparison: compares a snapshot with what was known before it: per server, the numbers of each
 * stream and how they changed. It has all streams, in the snapshot's order: what is shown of it is
 * up to the view.
 */
#ifndef STEM_COMPARISON_H
#define STEM_COMPARISON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/analysis/changes.h"
#include "monitor/analysis/durations.h"
#include "monitor/analysis/losses.h"
#include "monitor/model/snapshot.h"

/*
 * The steps of a row are what was counted since the server's previous answer: everything for a
 * stream that began since then; RESPONSE_UNKNOWN in a server's first answer, if counts can't be
 * compared, and for counters that don't only grow (see counter_kind_t).
 */

/* One published event stream that is new, changed or gone. */
typedef struct {
    const publisher_change_t *change;
    const char *name;
    publisher_counts_t counts; /* as far as they are known; without the event to come */
    publisher_counts_t steps;
    double rate; /* 1/s; NAN: not known */
    bool restarted;
    duration_t push_event;
    duration_span_t push_event_span; /* that it is of */
} published_row_t;

/* One subscription that is new, changed or gone. */
typedef struct {
    const subscription_change_t *change;
    const char *topic;
    const subscription_counts_t *counts; /* of the answer, or of the last one that had it */
    subscription_counts_t steps;
    loss_t loss;
    double rate;              /* 1/s; NAN: not known */
    bool restarted;           /* its own counts went down: it is a new one */
    bool publisher_restarted; /* the publisher's counter did */
    int64_t new_losses;       /* since the previous answer: events lost, or misses */
    bool only_misses;         /* new_losses, or earlier_losses, are misses */
    int64_t earlier_losses;   /* of a server's first answer: from before it */
    duration_t latency;
    duration_t processing;
    duration_span_t latency_span; /* that they are of */
    duration_span_t processing_span;
} subscription_row_t;

/* One event channel that is new, changed or gone. */
typedef struct {
    const channel_change_t *change;
    const response_channel_t *shown; /* in the answer, or in the last one that had it */
    channel_counts_t steps;
} channel_row_t;

/* One server's part of a snapshot. */
typedef struct {
    const reply_t *reply;
    const response_t *before;   /* NULL: not known */
    const char *failed;         /* why it failed the last time; NULL: it didn't */
    changes_t *changes;         /* NULL: the server failed */
    double seconds;             /* since the previous answer; NAN: not known */
    published_row_t *published; /* by name */
    size_t published_count;
    subscription_row_t *subscriptions; /* by topic */
    size_t subscription_count;
    channel_row_t *channels; /* by name */
    size_t channel_count;
} server_part_t;

/* Whether it didn't answer; of what is missing in a recording, that isn't said. */
static inline bool server_part_fails(const server_part_t *self)
{
    return !self->changes && !self->reply->is_missing;
}

typedef struct {
    server_part_t *parts; /* as in the snapshot */
    size_t part_count;
    size_t failed;
} comparison_t;

/*
 * Compares; previous may be NULL: nothing was known. Servers are matched by name; previous has the
 * last answer of each (see history.h), and losses have taken current. Points into the snapshots.
 * The caller owns it. Never NULL.
 */
comparison_t *comparison_new(const snapshot_t *previous, const snapshot_t *current,
                             const losses_t *losses);

/* Frees it and sets *self to NULL; *self may be NULL. */
void comparison_destroy(comparison_t **self);

#endif
