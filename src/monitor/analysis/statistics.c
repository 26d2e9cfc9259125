#include "monitor/analysis/statistics.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

double statistics_percentile(const double *sorted, size_t count, double percent)
{
    if (count == 0)
        return NAN;
    double position = percent / 100.0 * (double)(count - 1);
    if (!(position > 0))
        return sorted[0];
    if (position >= (double)(count - 1))
        return sorted[count - 1];
    size_t below = (size_t)position;
    double part = position - (double)below;
    return sorted[below] + part * (sorted[below + 1] - sorted[below]);
}

/* In two passes: the difference of two large sums would lose the significant digits. */
static void mean_and_error(const double *values, size_t count, statistics_t *result)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    result->mean = sum / (double)count;
    if (count < 2)
        return;
    double squares = 0;
    for (size_t i = 0; i < count; i++) {
        double deviation = values[i] - result->mean;
        squares += deviation * deviation;
    }
    result->standard_error = sqrt(squares / (double)(count - 1) / (double)count);
}

statistics_t statistics_of(const double *values, size_t count)
{
    statistics_t result = {
        .count = 0,
        .mean = NAN,
        .standard_error = NAN,
        .minimum = NAN,
        .percentile_1 = NAN,
        .percentile_10 = NAN,
        .median = NAN,
        .percentile_90 = NAN,
        .percentile_99 = NAN,
        .maximum = NAN,
    };
    double *sorted = memory_new(count, sizeof *sorted);
    size_t known = 0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(values[i]))
            sorted[known++] = values[i];
    result.count = known;
    if (known > 0) {
        qsort(sorted, known, sizeof *sorted, compare_doubles);
        mean_and_error(sorted, known, &result);
        result.minimum = sorted[0];
        result.maximum = sorted[known - 1];
    }
    if (known >= STATISTICS_ENOUGH_FOR_DECILES) {
        result.percentile_10 = statistics_percentile(sorted, known, 10);
        result.median = statistics_percentile(sorted, known, 50);
        result.percentile_90 = statistics_percentile(sorted, known, 90);
    }
    if (known >= STATISTICS_ENOUGH_FOR_PERCENTILES) {
        result.percentile_1 = statistics_percentile(sorted, known, 1);
        result.percentile_99 = statistics_percentile(sorted, known, 99);
    }
    free(sorted);
    return result;
}
