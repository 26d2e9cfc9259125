/*
 * metrics_sums: rows of several streams as one row, from observation to observation.
 *
 * The sum of counters is no counter: it falls when a stream goes, and Prometheus would take the
 * whole rest for an increase. So what is kept here is the sum of their increases, which never
 * falls: of a counter that began anew, and of a new stream, all that it has by now.
 */
#ifndef STEM_METRICS_SUMS_H
#define STEM_METRICS_SUMS_H

#include <stdbool.h>
#include <stddef.h>

#include "monitor/view/metrics/metrics_table.h"

/* Begins as all 0. */
typedef struct {
    bool has_begun;
    vector_t members;   /* metrics_row_t without labels, by id: as they were seen last */
    metrics_row_t sums; /* without labels */
} metrics_sums_t;

/*
 * Takes the streams' next rows. from_zero: counters begin at 0 with the first ones; otherwise with
 * their sum. is_whole: streams that weren't there before are new; otherwise, what they have counted
 * by now isn't.
 */
void metrics_sums_take(metrics_sums_t *self, const metrics_table_t *table,
                       const metrics_row_t *rows, size_t count, bool from_zero, bool is_whole);

/* Copies the sums into a row, which keeps its labels. */
void metrics_sums_give(const metrics_sums_t *self, const metrics_table_t *table,
                       metrics_row_t *row);

/* What the streams count from now on is of another process, and all new. */
void metrics_sums_forget(metrics_sums_t *self);

void metrics_sums_clear(metrics_sums_t *self);

#endif
