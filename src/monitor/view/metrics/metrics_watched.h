/*
 * metrics_watched: what is kept of each watched server from observation to observation: whether its
 * streams are summed up, and the sums.
 */
#ifndef STEM_METRICS_WATCHED_H
#define STEM_METRICS_WATCHED_H

#include <stdbool.h>
#include <stddef.h>

#include "monitor/view/metrics/metrics_limit.h"
#include "monitor/view/metrics/metrics_sums.h"
#include "monitor/view/metrics/metrics_tables.h"

typedef struct {
    char *name;
    bool is_there;                              /* in the present observation */
    bool was_whole;                             /* its last answer omitted nothing */
    metrics_load_t load;                        /* as of its last answer */
    metrics_sums_t sums[METRICS_STREAM_TABLES]; /* while they are summed up */
    /* Streams that have the same labels as another one, by these. */
    vector_t twins[METRICS_STREAM_TABLES];
} metrics_watched_t;

/* Begins as all 0. Pointers to watched servers stay valid until they are removed. */
typedef struct {
    metrics_watched_t **list; /* in the order of the snapshot, as a rule */
    size_t count;
} metrics_watch_t;

/* The server of that name, which is there now; a new one, if need be. place: where to look first.
 * NULL: it is there already, twice in one snapshot. */
metrics_watched_t *metrics_watch_find(metrics_watch_t *self, const char *name, size_t place);

/* Removes those that aren't there; none is, for the next observation. */
void metrics_watch_settle(metrics_watch_t *self);

void metrics_watch_clear(metrics_watch_t *self);

/* Counts the load of a server's rows: one in each table. */
void metrics_watched_weigh(metrics_watched_t *self, const metrics_tables_t *tables,
                           const metrics_range_t ranges[METRICS_STREAM_TABLES]);

/*
 * Makes rows that may be shown of those of an answer: no two with the same labels, or one sum for
 * all. labels: those of the sum. is_another_process: it has counted from 0 since the last answer;
 * is_whole: the answer omits nothing.
 */
void metrics_watched_join(metrics_watched_t *self, metrics_tables_t *tables,
                          const metrics_range_t ranges[METRICS_STREAM_TABLES],
                          const metrics_kept_t *labels, bool is_another_process, bool is_whole);

#endif
