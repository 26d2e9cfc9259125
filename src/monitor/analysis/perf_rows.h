/*
 * perf_rows: the statistics of an answer's samples, a row for each measured quantity.
 */
#ifndef STEM_PERF_ROWS_H
#define STEM_PERF_ROWS_H

#include <stddef.h>

#include "monitor/analysis/statistics.h"
#include "response/response.h"

typedef enum { PERF_PUSHED, PERF_RECEIVED } perf_side_t;

typedef struct {
    const char *label; /* for people, with its unit */
    const char *key;   /* for programs */
    statistics_t statistics;
} perf_row_t;

/*
 * A row for each quantity that is measured on a side; their number in *count, 0 without any
 * samples. Duplicates are left out: no callback ran for them, and they come right after the event
 * that they repeat, which would suggest a higher rate. The caller frees it.
 */
perf_row_t *perf_rows_new(const response_t *response, perf_side_t side, size_t *count);

/*
 * A row for each attribute that events were received of, sorted by name: how long they took to
 * process, by the samples without duplicates. Its label, without unit, points into the response; ""
 * where a sample has none. The caller frees it.
 */
perf_row_t *perf_rows_by_attribute(const response_t *response, size_t *count);

/* How many samples are duplicates. */
size_t perf_discarded_count(const response_t *response);

#endif
