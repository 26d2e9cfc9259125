/*
 * statistics: mean, error and percentiles of samples.
 *
 * Samples that are not known (NAN) and infinite ones are left out everywhere.
 */
#ifndef STEM_STATISTICS_H
#define STEM_STATISTICS_H

#include <stddef.h>

/* With fewer samples, a percentile of that kind says no more than the extremes. */
#define STATISTICS_ENOUGH_FOR_DECILES     10  /* 10 %, median, 90 % */
#define STATISTICS_ENOUGH_FOR_PERCENTILES 100 /* 1 %, 99 % */

/* Everything in the samples' unit; NAN if there are too few samples. */
typedef struct {
    size_t count;          /* of known samples */
    double mean;           /* from 1 sample */
    double standard_error; /* of the mean: sample deviation / sqrt(count); from 2 samples */
    double minimum;        /* from 1 sample */
    double percentile_1;
    double percentile_10;
    double median;
    double percentile_90;
    double percentile_99;
    double maximum; /* from 1 sample */
} statistics_t;

/* The statistics of count values; values may be NULL if count is 0. */
statistics_t statistics_of(const double *values, size_t count);

/*
 * The percentile (0 to 100) of count values in ascending order, interpolated linearly between its
 * two neighbours, so that 0 gives the first and 100 the last. NAN if count is 0.
 */
double statistics_percentile(const double *sorted, size_t count, double percent);

#endif
