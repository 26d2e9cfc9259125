/*
 * metrics_model: series and their values, compactly, and read line by line in either format.
 *
 * Names are kept once for all series of a stream, and lines are made as they are read: a page of
 * 25 MB takes a fifth of that, and however many read it slowly, it is there once. A model doesn't
 * change once it is sealed; any number of threads may read it then.
 */
#ifndef STEM_METRICS_MODEL_H
#define STEM_METRICS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "monitor/view/metrics/metrics_labels.h"
#include "monitor/view/metrics/metrics_page.h"
#include "response/response.h"

typedef enum { METRICS_GAUGE, METRICS_COUNTER, METRICS_HISTOGRAM, METRICS_INFO } metrics_type_t;

/* What all series of a name have in common. The strings must outlive the model. A name that ends in
 * "_seconds" or "_bytes" (before "_total") has that unit. */
typedef struct {
    const char *name; /* with "_total" of a counter, and "_info" */
    metrics_type_t type;
    bool is_nanos; /* values are nanoseconds, and shown as seconds */
    const char *help;
} metrics_family_t;

/* The upper bounds of buckets: bounds of the agent's, so that its counts are added up exactly. */
enum { METRICS_BOUNDS = 14 };

/* One for each bound, the unbounded one, count and sum. */
enum { METRICS_HISTOGRAM_SERIES = METRICS_BOUNDS + 3 };

typedef struct {
    int64_t counts[METRICS_BOUNDS + 1]; /* the last: longer than all bounds */
    int64_t sum_nanos;
    bool has_sum; /* negative ones, of clocks that disagree, are no sum of a histogram */
} metrics_histogram_t;

/* Adds up what an answer has of it. Begins as all 0. */
void metrics_histogram_add(metrics_histogram_t *self, const response_histogram_t *histogram);

/* Adds up two of them. */
void metrics_histogram_merge(metrics_histogram_t *self, const metrics_histogram_t *other);

/* The sum of two numbers, or the end of the range. */
int64_t metrics_sum(int64_t a, int64_t b);

/* A point in time in nanoseconds since 1970; RESPONSE_UNKNOWN before that, and after April 2262,
 * for which an int64_t is too small: a recording may say such times. */
int64_t metrics_nanos_of_time(const struct timespec *time);

/* Labels that a model keeps. */
typedef struct {
    uint16_t size;
    char text[]; /* without a NUL at its end */
} metrics_kept_t;

typedef struct metrics_model metrics_model_t;

/* Empty, with one reference. Never NULL. */
metrics_model_t *metrics_model_new(void);

/* Another reference, and one less: the last one frees it and sets *self to NULL (always; *self may
 * be NULL). Any thread. */
metrics_model_t *metrics_model_share(metrics_model_t *self);
void metrics_model_release(metrics_model_t **self);

/* ---- until it is sealed ---- */

/* Copies labels for as long as the model lives. */
const metrics_kept_t *metrics_model_keep(metrics_model_t *self, const metrics_labels_t *labels);

/* The series that follow are of this family, which must not have been there before; if none
 * follows, it is as if it had not been begun. count: how many there will be, about. */
void metrics_model_begin(metrics_model_t *self, const metrics_family_t *family, size_t count);

/* A series. extra: further labels, which outlive the model; NULL: none; those with the same stand
 * together, and a family has at most 8 of them. Nobody else checks that no
 * two series of a family have the same labels: see metrics_table. */
void metrics_model_add(metrics_model_t *self, const metrics_kept_t *labels, const char *extra,
                       int64_t value);
void metrics_model_add_histogram(metrics_model_t *self, const metrics_kept_t *labels,
                                 const metrics_histogram_t *histogram);

void metrics_model_seal(metrics_model_t *self);

/* ---- afterwards ---- */

/* How many bytes it has in that format, without the end of OpenMetrics. */
uint64_t metrics_model_size(const metrics_model_t *self, metrics_format_t format);

/* How many series. */
size_t metrics_model_series(const metrics_model_t *self);

/* Where a reader is. Begins as all 0, with model and format. */
typedef struct {
    const metrics_model_t *model;
    metrics_format_t format;
    size_t family;
    size_t series; /* in the family */
    unsigned line; /* of the family's head, or of a histogram */
    bool in_series;
} metrics_reader_t;

/* No line is longer. */
enum { METRICS_LINE_SIZE = 4096 };

/* Writes the next line, without a NUL at its end; returns its size, 0 at the end. */
size_t metrics_reader_next(metrics_reader_t *self, char line[METRICS_LINE_SIZE]);

#endif
