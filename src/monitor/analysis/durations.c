#include "monitor/analysis/durations.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

/* Buckets are identified by their bounds, of which one may be open. */
static bool same_bucket(const response_bucket_t *a, const response_bucket_t *b)
{
    const bool same_from =
        a->from_nanos == b->from_nanos || (isnan(a->from_nanos) && isnan(b->from_nanos));
    const bool same_below =
        a->below_nanos == b->below_nanos || (isnan(a->below_nanos) && isnan(b->below_nanos));
    return same_from && same_below;
}

/* Both lists go from short to long, and what was counted once stays. */
const response_bucket_t *durations_next(duration_walk_t *self, int64_t *count)
{
    const response_histogram_t *before = self->span.before;
    const response_histogram_t *after = self->span.after;
    *count = 0;
    if (!after || self->next == after->bucket_count)
        return NULL;
    const response_bucket_t *bucket = &after->buckets[self->next++];
    *count = bucket->count == RESPONSE_UNKNOWN ? 0 : bucket->count;
    if (before && self->old < before->bucket_count &&
        same_bucket(&before->buckets[self->old], bucket))
        *count -= before->buckets[self->old++].count;
    if (*count < 0)
        *count = 0; /* it started again in between */
    return bucket;
}

static int64_t *counts_between(duration_span_t span, int64_t *total)
{
    int64_t *counts = memory_new(span.after->bucket_count, sizeof *counts);
    duration_walk_t walk = {.span = span};
    *total = 0;
    for (size_t i = 0; i < span.after->bucket_count; i++) {
        durations_next(&walk, &counts[i]);
        if (__builtin_add_overflow(*total, counts[i], total))
            *total = INT64_MAX; /* of an answer that makes no sense */
    }
    return counts;
}

double durations_middle_micros(const response_bucket_t *bucket)
{
    if (isnan(bucket->from_nanos))
        return bucket->below_nanos / 1e3;
    if (isnan(bucket->below_nanos))
        return bucket->from_nanos / 1e3;
    return (bucket->from_nanos + bucket->below_nanos) / 2e3;
}

static double percentile(const response_histogram_t *histogram, const int64_t *counts,
                         double percent)
{
    double total = 0;
    for (size_t i = 0; i < histogram->bucket_count; i++)
        total += (double)counts[i];
    const double rank = percent / 100 * total;
    double seen = 0;
    for (size_t i = 0; i < histogram->bucket_count; i++) {
        seen += (double)counts[i];
        if (counts[i] > 0 && seen >= rank)
            return durations_middle_micros(&histogram->buckets[i]);
    }
    return NAN;
}

static int64_t below_all(const response_histogram_t *histogram, const int64_t *counts)
{
    return histogram->bucket_count > 0 && isnan(histogram->buckets[0].from_nanos) ? counts[0] : 0;
}

duration_t durations_between(const response_histogram_t *before, const response_histogram_t *after)
{
    duration_t duration = {.mean_micros = NAN,
                           .minimum_micros = NAN,
                           .median_micros = NAN,
                           .percentile_90_micros = NAN,
                           .percentile_99_micros = NAN,
                           .maximum_micros = NAN};
    if (!after)
        return duration;
    int64_t *counts = counts_between((duration_span_t){before, after}, &duration.count);
    if (duration.count > 0) {
        duration.below_all = below_all(after, counts);
        duration.mean_micros =
            (after->sum_nanos - (before ? before->sum_nanos : 0)) / 1e3 / (double)duration.count;
        duration.minimum_micros = percentile(after, counts, 0);
        duration.median_micros = percentile(after, counts, 50);
        duration.percentile_90_micros = percentile(after, counts, 90);
        duration.percentile_99_micros = percentile(after, counts, 99);
        duration.maximum_micros = percentile(after, counts, 100);
    }
    free(counts);
    return duration;
}
