/*
 * durations: percentiles from the agent's histograms, which count every event while performance
 * monitoring is on; the samples cover the newest 256 only.
 */
#ifndef STEM_DURATIONS_H
#define STEM_DURATIONS_H

#include <stdint.h>

#include "response/response.h"

/* How long something took for the events since the previous answer; NAN if that isn't known. */
typedef struct {
    int64_t count;
    int64_t below_all; /* of these, shorter than any duration that the histogram tells apart: less
                          than a microsecond, or negative */
    double mean_micros;
    double minimum_micros; /* of the shortest bucket with anything in it */
    double median_micros;
    double percentile_90_micros;
    double percentile_99_micros;
    double maximum_micros; /* of the longest bucket with anything in it */
} duration_t;

/* Two answers' histograms, which are compared. before may be NULL: everything in after; after may
 * be NULL: nothing is known. */
typedef struct {
    const response_histogram_t *before;
    const response_histogram_t *after;
} duration_span_t;

/* Goes through what was counted in a span; set span, everything else begins as 0. */
typedef struct {
    duration_span_t span;
    size_t next; /* bucket of after */
    size_t old;  /* bucket of before */
} duration_walk_t;

/* The next bucket, of after, and how many were counted in it, which may be 0. NULL at the end. */
const response_bucket_t *durations_next(duration_walk_t *self, int64_t *count);

/* The middle of a bucket in microseconds; of an open one, its bound. */
double durations_middle_micros(const response_bucket_t *bucket);

/*
 * The durations between two answers. A percentile is the middle of the bucket that it falls into,
 * which is less than 7 % off; of an open bucket, its bound.
 */
duration_t durations_between(const response_histogram_t *before, const response_histogram_t *after);

#endif
