/*
 * perf_rows: the samples of one answer in a few numbers for each thing that is measured.
 */
#ifndef STEM_PERF_ROWS_H
#define STEM_PERF_ROWS_H

#include <stddef.h>

#include "monitor/statistics.h"
#include "response/response.h"

typedef enum { PERF_PUSHED, PERF_RECEIVED } perf_side_t;

typedef struct {
    const char *label; /* for people, with its unit */
    const char *key;   /* for programs */
    statistics_t statistics;
} perf_row_t;

/*
 * A row for each thing that is measured on a side; their number in *count, 0 without any samples.
 * Duplicates are left out: nobody's callback ran for them, and they come right behind the event
 * that they repeat, so that they would tell of a hurry that there wasn't. The caller frees it.
 */
perf_row_t *perf_rows_new(const response_t *response, perf_side_t side, size_t *count);

/* How many samples are of duplicates. */
size_t perf_discarded_count(const response_t *response);

#endif
