/*
 * comparison: a snapshot held against what was known before it: per server, what became of each
 * stream, as numbers. What is shown of it is up to the summaries.
 */
#ifndef STEM_COMPARISON_H
#define STEM_COMPARISON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/changes.h"
#include "monitor/durations.h"
#include "monitor/snapshot.h"

/* One published event stream that is new, changed or gone. */
typedef struct {
    const publisher_change_t *change;
    const char *name;
    int64_t pushed; /* as far as it is known; without the event to come */
    count_step_t step;
    double rate; /* 1/s; NAN: not known */
    bool restarted;
    duration_t push_event;
} published_row_t;

/* One subscription that is new, changed or gone. */
typedef struct {
    const subscription_change_t *change;
    const char *topic;
    count_step_t received;
    count_step_t missed;
    count_step_t lost;
    count_step_t outage_lost;
    count_step_t discarded;
    count_step_t publisher_restarts;
    double rate;              /* 1/s; NAN: not known */
    bool restarted;           /* its own counts went down: it was made anew */
    bool publisher_restarted; /* the publisher's counter did */
    int64_t new_losses;       /* events lost, or misses where that is all one knows */
    duration_t latency;
    duration_t processing;
} subscription_row_t;

/* One server's part of a snapshot. */
typedef struct {
    const reply_t *reply;
    const response_t *before;   /* NULL: not known */
    const char *failed;         /* why it failed the time before; NULL: it didn't */
    changes_t *changes;         /* NULL: the server failed */
    double seconds;             /* since the answer before; NAN: not known */
    published_row_t *published; /* by name */
    size_t published_count;
    subscription_row_t *subscriptions; /* most new losses first, then restarts, then by name */
    size_t subscription_count;
    int64_t new_losses; /* of all of them */
} server_part_t;

/* Which streams to show. */
typedef struct {
    char *const *patterns; /* with '*', '?'; see stream_filter_takes() */
    size_t count;          /* 0: all */
} stream_filter_t;

typedef struct {
    server_part_t *parts; /* failures first, then restarts and losses, then as in the snapshot */
    size_t part_count;
    size_t failed;
} comparison_t;

/*
 * Compares; previous may be NULL: nothing was known. Servers are matched by name; previous has the
 * last answer of each (see history.h). Points into both and the filter's patterns. The caller owns
 * it. Never NULL.
 */
comparison_t *comparison_new(const snapshot_t *previous, const snapshot_t *current,
                             const stream_filter_t *filter);

/* Frees it and sets *self to NULL; *self may be NULL. */
void comparison_destroy(comparison_t **self);

/*
 * Whether a stream or topic, or a device's attribute, is to be shown: if its name matches one of
 * the patterns, with or without "tango://host:port/", IDL level and event type, without regard to
 * case.
 */
bool stream_filter_takes(const stream_filter_t *self, const char *name);

/* The same for what is not connected, by device and attribute. */
bool stream_filter_takes_attribute(const stream_filter_t *self,
                                   const response_not_connected_t *entry);

/* The "tango://host:port/" that a name begins with, as its length; 0 if it has none. */
size_t comparison_prefix_length(const char *name);

#endif
