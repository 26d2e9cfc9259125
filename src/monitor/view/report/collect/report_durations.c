#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "monitor/analysis/statistics.h"
#include "monitor/view/report/collect/report_parts.h"

#define MICROS 1e6

/* Those that a duration is reported by. */
enum { MEDIAN = 50, PERCENTILE_90 = 90, PERCENTILE_99 = 99 };

static void add_to_row(report_collector_t *self, report_kept_row_t *row, report_duration_t duration,
                       size_t bucket, int64_t count)
{
    report_cells_t *cells = &row->row.cells[duration];
    if (self->is_full) {
        report_block(self)->lacks_cells = true;
        return;
    }
    self->bytes -= cells->capacity * sizeof *cells->list;
    report_cells_add(cells, self->report.stream_axis.count - 1, bucket, count);
    self->bytes += cells->capacity * sizeof *cells->list;
}

/* The bucket of another one; of an open one, of what is just beyond its bound. */
static size_t bucket_of(const response_bucket_t *one)
{
    const double seconds = durations_middle_micros(one) / MICROS;
    return report_bucket_of(isnan(one->from_nanos) ? nextafter(seconds, 0) : seconds);
}

void report_add_durations(report_collector_t *self, report_kept_row_t *row,
                          report_duration_t duration, const duration_span_t *span)
{
    report_t *report = &self->report;
    duration_walk_t walk = {.span = *span};
    int64_t count = 0;
    for (const response_bucket_t *one = durations_next(&walk, &count); one;
         one = durations_next(&walk, &count)) {
        if (count <= 0)
            continue;
        const size_t bucket = bucket_of(one);
        report_cells_add(&report->cells[duration], report->axis.count - 1, bucket, count);
        if (row)
            add_to_row(self, row, duration, bucket, count);
    }
}

/* ---- samples ---- */

static bool has_histograms(const response_t *response)
{
    for (size_t i = 0; i < response->publisher_count; i++)
        if (response->publishers[i].push_event)
            return true;
    for (size_t i = 0; i < response->subscription_count; i++)
        if (response->subscriptions[i].latency || response->subscriptions[i].processing)
            return true;
    return false;
}

static int compare_numbers(const void *a, const void *b)
{
    const double left = *(const double *)a;
    const double right = *(const double *)b;
    return left < right ? -1 : left > right;
}

/* Samples in microseconds, which this sorts. The 99th percentile in s, or NAN. */
static float add_values(report_collector_t *self, report_duration_t duration, double *values,
                        size_t count)
{
    report_t *report = &self->report;
    size_t known = 0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(values[i]))
            values[known++] = values[i] / MICROS;
    for (size_t i = 0; i < known; i++)
        report_cells_add(&report->cells[duration], report->axis.count - 1,
                         report_bucket_of(values[i]), 1);
    if (known > 0)
        report_block(self)->has_samples = true;
    if (known > 1)
        qsort(values, known, sizeof *values, compare_numbers);
    return (float)statistics_percentile(values, known, PERCENTILE_99);
}

static void add_pushed(report_collector_t *self, const response_t *response)
{
    const size_t count = response->push_sample_count;
    double *values = memory_new(count, sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = response->push_samples[i].push_event_micros;
    add_values(self, REPORT_PUSH, values, count);
    free(values);
}

static void add_received(report_collector_t *self, const response_t *response)
{
    const size_t count = response->receive_sample_count;
    double *latencies = memory_new(count, sizeof *latencies);
    double *processing = memory_new(count, sizeof *processing);
    for (size_t i = 0; i < count; i++) {
        const response_receive_sample_t *sample = &response->receive_samples[i];
        latencies[i] = sample->discarded ? NAN : sample->first_callback_latency_micros;
        processing[i] = sample->discarded ? NAN : sample->process_micros;
    }
    report_column_t *poll = &self->poll;
    poll->latency = fmaxf(poll->latency, add_values(self, REPORT_LATENCY, latencies, count));
    poll->processing =
        fmaxf(poll->processing, add_values(self, REPORT_PROCESSING, processing, count));
    free(latencies);
    free(processing);
}

void report_add_samples(report_collector_t *self, const server_part_t *part)
{
    const response_t *response = part->reply->response;
    /* Those in the first answer are of before. Of which stream a sample is can't be known for
     * sure. */
    if (part->changes->first || self->options.filter.count > 0 ||
        response->push_sample_count + response->receive_sample_count == 0 ||
        has_histograms(response))
        return;
    add_pushed(self, response);
    add_received(self, response);
}

/* ---- percentiles ---- */

/* The middle of a bucket, in proportion; of an open one, its bound. */
static double middle_of(size_t bucket)
{
    double from = 0;
    double below = 0;
    report_bucket_bounds(bucket, &from, &below);
    if (from <= 0)
        return below;
    return isinf(below) ? from : sqrt(from * below);
}

static double percentile(const int64_t *counts, double total, double percent)
{
    const double rank = percent / 100 * total;
    double seen = 0;
    for (size_t i = 0; i < REPORT_BUCKETS; i++) {
        seen += (double)counts[i];
        if (counts[i] > 0 && seen >= rank)
            return middle_of(i);
    }
    return NAN;
}

static double maximum_of(const int64_t *counts)
{
    for (size_t i = REPORT_BUCKETS; i > 0; i--)
        if (counts[i - 1] > 0)
            return middle_of(i - 1);
    return NAN;
}

report_percentiles_t report_percentiles_of(const report_cells_t *cells)
{
    int64_t counts[REPORT_BUCKETS] = {0};
    report_percentiles_t result = {0};
    for (size_t i = 0; i < cells->count; i++) {
        counts[cells->list[i].bucket] += cells->list[i].count;
        result.count += cells->list[i].count;
    }
    const double total = (double)result.count;
    result.median = percentile(counts, total, MEDIAN);
    result.percentile_90 = percentile(counts, total, PERCENTILE_90);
    result.percentile_99 = percentile(counts, total, PERCENTILE_99);
    result.maximum = maximum_of(counts);
    return result;
}
