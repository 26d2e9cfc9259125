#include "monitor/analysis/perf_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static double push_interval(const void *sample)
{
    return ((const response_push_sample_t *)sample)->micros_since_last_event;
}

static double push_duration(const void *sample)
{
    return ((const response_push_sample_t *)sample)->push_event_micros;
}

static double known_or_nan(int64_t count)
{
    return count == RESPONSE_UNKNOWN ? NAN : (double)count;
}

static double receive_interval(const void *sample)
{
    return ((const response_receive_sample_t *)sample)->micros_since_last_event;
}

static double receive_sleep(const void *sample)
{
    return ((const response_receive_sample_t *)sample)->sleep_micros;
}

static double receive_process(const void *sample)
{
    return ((const response_receive_sample_t *)sample)->process_micros;
}

static double receive_latency(const void *sample)
{
    return ((const response_receive_sample_t *)sample)->first_callback_latency_micros;
}

static double receive_callbacks(const void *sample)
{
    return known_or_nan(((const response_receive_sample_t *)sample)->callback_count);
}

static double receive_wakes(const void *sample)
{
    return known_or_nan(((const response_receive_sample_t *)sample)->wake_count);
}

/* A measured quantity: its names, and where its value is in a sample. */
typedef struct {
    const char *label;
    const char *key;
    double (*value)(const void *sample);
} measure_t;

static const measure_t push_measures[] = {
    {"since last event [us]", "since_last_event_micros", push_interval},
    {"push event [us]", "push_event_micros", push_duration},
};

static const measure_t receive_measures[] = {
    {"since last event [us]", "since_last_event_micros", receive_interval},
    {"sleep [us]", "sleep_micros", receive_sleep},
    {"process [us]", "process_micros", receive_process},
    {"first callback latency [us]", "first_callback_latency_micros", receive_latency},
    {"callbacks [1/event]", "callbacks", receive_callbacks},
    {"wake-ups [1/event]", "wake_ups", receive_wakes},
};

size_t perf_discarded_count(const response_t *response)
{
    size_t discarded = 0;
    for (size_t i = 0; i < response->receive_sample_count; i++)
        discarded += response->receive_samples[i].discarded;
    return discarded;
}

static size_t values_of(const response_t *response, perf_side_t side, const measure_t *measure,
                        double *values)
{
    size_t count = 0;
    if (side == PERF_PUSHED) {
        for (size_t i = 0; i < response->push_sample_count; i++)
            values[count++] = measure->value(&response->push_samples[i]);
        return count;
    }
    for (size_t i = 0; i < response->receive_sample_count; i++)
        if (!response->receive_samples[i].discarded)
            values[count++] = measure->value(&response->receive_samples[i]);
    return count;
}

perf_row_t *perf_rows_new(const response_t *response, perf_side_t side, size_t *count)
{
    const bool pushed = side == PERF_PUSHED;
    const measure_t *measures = pushed ? push_measures : receive_measures;
    const size_t samples = pushed ? response->push_sample_count : response->receive_sample_count;
    *count = 0;
    if (samples > 0)
        *count = pushed ? sizeof push_measures / sizeof *push_measures
                        : sizeof receive_measures / sizeof *receive_measures;
    perf_row_t *rows = memory_new(*count, sizeof *rows);
    double *values = memory_new(samples, sizeof *values);
    for (size_t i = 0; i < *count; i++) {
        const size_t known = values_of(response, side, &measures[i], values);
        rows[i] = (perf_row_t){measures[i].label, measures[i].key, statistics_of(values, known)};
    }
    free(values);
    return rows;
}

/* How long an event of an attribute took. */
typedef struct {
    const char *attribute;
    double micros;
} processed_t;

static int compare_processed(const void *a, const void *b)
{
    return strcmp(((const processed_t *)a)->attribute, ((const processed_t *)b)->attribute);
}

perf_row_t *perf_rows_by_attribute(const response_t *response, size_t *count)
{
    processed_t *processed = memory_new(response->receive_sample_count, sizeof *processed);
    size_t samples = 0;
    for (size_t i = 0; i < response->receive_sample_count; i++) {
        const response_receive_sample_t *sample = &response->receive_samples[i];
        const char *attribute = sample->attr_name ? sample->attr_name : "";
        if (!sample->discarded)
            processed[samples++] = (processed_t){attribute, sample->process_micros};
    }
    qsort(processed, samples, sizeof *processed, compare_processed);
    perf_row_t *rows = memory_new(samples, sizeof *rows);
    double *values = memory_new(samples, sizeof *values);
    *count = 0;
    for (size_t i = 0; i < samples;) {
        const char *attribute = processed[i].attribute;
        size_t known = 0;
        for (; i < samples && strcmp(processed[i].attribute, attribute) == 0; i++)
            values[known++] = processed[i].micros;
        rows[(*count)++] = (perf_row_t){attribute, "process_micros", statistics_of(values, known)};
    }
    free(values);
    free(processed);
    return rows;
}
