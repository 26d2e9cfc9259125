/*
 * metrics_table: rows of values under the same labels, such as one for each subscribed stream, with
 * a column for each series that a row can have.
 *
 * Two rows with the same labels become one, whatever made them the same: Prometheus takes nothing
 * at all of a page that has a series twice.
 */
#ifndef STEM_METRICS_TABLE_H
#define STEM_METRICS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vector.h"
#include "monitor/view/metrics/metrics_model.h"

enum { METRICS_COLUMNS = 14, METRICS_TABLE_HISTOGRAMS = 2 };

/* How rows with the same labels become one. */
typedef enum { METRICS_ADD, METRICS_LARGEST, METRICS_SMALLEST } metrics_merge_t;

/* Those of one family stand side by side, and differ by extra. */
typedef struct {
    metrics_family_t family;
    const char *extra; /* further labels, which outlive everything; or NULL */
    metrics_merge_t merge;
} metrics_column_t;

typedef struct {
    uint64_t id;                     /* of what it is about, whatever its labels */
    const metrics_kept_t *labels;    /* NULL: it is left out */
    int64_t values[METRICS_COLUMNS]; /* RESPONSE_UNKNOWN: no series */
    metrics_histogram_t *histograms[METRICS_TABLE_HISTOGRAMS]; /* owned; NULL: none */
} metrics_row_t;

/* Begins as all 0. */
typedef struct {
    metrics_column_t columns[METRICS_COLUMNS];
    size_t column_count;
    metrics_family_t histograms[METRICS_TABLE_HISTOGRAMS];
    size_t histogram_count;
    vector_t rows; /* metrics_row_t */
} metrics_table_t;

/* Makes room for so many more rows. */
void metrics_table_reserve(metrics_table_t *self, size_t count);

/* A new row, with nothing known. Valid until the next one. */
metrics_row_t *metrics_table_add(metrics_table_t *self, const metrics_kept_t *labels, uint64_t id);

/* The row at a place. */
metrics_row_t *metrics_table_row(const metrics_table_t *self, size_t i);

/* The row's histogram, empty at first. */
metrics_histogram_t *metrics_row_histogram(metrics_row_t *self, size_t which);

/* How many series a row has. */
size_t metrics_row_series(const metrics_row_t *self);

/* Adds up a row into another one. */
void metrics_row_merge(const metrics_table_t *table, metrics_row_t *self,
                       const metrics_row_t *other);

/* Frees what it owns, and leaves it out. */
void metrics_row_clear(metrics_row_t *self);

/* Rows from one to before another. */
typedef struct {
    size_t from;
    size_t to;
} metrics_range_t;

/* Makes one row of several with the same labels, the first of them; the others are cleared then. */
typedef void (*metrics_join_t)(void *context, const metrics_table_t *table, metrics_row_t *rows,
                               size_t count);

/* Sorts rows by their labels, and lets join, or, if it is NULL, metrics_row_merge() make one of
 * each with the same; join is called for those, too, that are the only ones. */
void metrics_table_settle(metrics_table_t *self, metrics_range_t range, metrics_join_t join,
                          void *context);

/* Puts all series into a model; settled rows only. The rows are gone then. */
void metrics_table_put(metrics_table_t *self, metrics_model_t *model);

void metrics_table_clear(metrics_table_t *self);

#endif
