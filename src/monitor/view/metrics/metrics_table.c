#include "monitor/view/metrics/metrics_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static metrics_row_t *row_at(const metrics_table_t *self, size_t i)
{
    return &((metrics_row_t *)self->rows.items)[i];
}

metrics_row_t *metrics_table_row(const metrics_table_t *self, size_t i)
{
    return row_at(self, i);
}

void metrics_table_reserve(metrics_table_t *self, size_t count)
{
    const size_t needed = self->rows.count + count;
    if (needed <= self->rows.capacity)
        return;
    /* Exactly, if it is much: that is one large server. */
    const size_t twice = count > self->rows.count ? needed : 2 * needed;
    self->rows.items = memory_resize(self->rows.items, twice, sizeof(metrics_row_t));
    self->rows.capacity = twice;
}

metrics_row_t *metrics_table_add(metrics_table_t *self, const metrics_kept_t *labels, uint64_t id)
{
    self->rows.item_size = sizeof(metrics_row_t);
    metrics_row_t *row = vector_add(&self->rows);
    row->id = id;
    row->labels = labels;
    for (size_t i = 0; i < METRICS_COLUMNS; i++)
        row->values[i] = RESPONSE_UNKNOWN;
    return row;
}

metrics_histogram_t *metrics_row_histogram(metrics_row_t *self, size_t which)
{
    if (!self->histograms[which])
        self->histograms[which] = memory_new(1, sizeof *self->histograms[which]);
    return self->histograms[which];
}

size_t metrics_row_series(const metrics_row_t *self)
{
    size_t count = 0;
    for (size_t i = 0; i < METRICS_COLUMNS; i++)
        count += self->values[i] != RESPONSE_UNKNOWN;
    for (size_t i = 0; i < METRICS_TABLE_HISTOGRAMS; i++)
        count += self->histograms[i] ? METRICS_HISTOGRAM_SERIES : 0;
    return count;
}

static int64_t merged(metrics_merge_t merge, int64_t a, int64_t b)
{
    if (a == RESPONSE_UNKNOWN || b == RESPONSE_UNKNOWN)
        return a == RESPONSE_UNKNOWN ? b : a;
    if (merge == METRICS_ADD)
        return metrics_sum(a, b);
    return (a < b) == (merge == METRICS_SMALLEST) ? a : b;
}

void metrics_row_merge(const metrics_table_t *table, metrics_row_t *self,
                       const metrics_row_t *other)
{
    for (size_t i = 0; i < table->column_count; i++)
        self->values[i] = merged(table->columns[i].merge, self->values[i], other->values[i]);
    for (size_t i = 0; i < table->histogram_count; i++)
        if (other->histograms[i])
            metrics_histogram_merge(metrics_row_histogram(self, i), other->histograms[i]);
}

static int compare_labels(const metrics_kept_t *a, const metrics_kept_t *b)
{
    const int order = memcmp(a->text, b->text, a->size < b->size ? a->size : b->size);
    if (order != 0)
        return order;
    return a->size < b->size ? -1 : a->size > b->size;
}

static int compare_rows(const void *a, const void *b)
{
    return compare_labels(((const metrics_row_t *)a)->labels, ((const metrics_row_t *)b)->labels);
}

void metrics_row_clear(metrics_row_t *self)
{
    for (size_t i = 0; i < METRICS_TABLE_HISTOGRAMS; i++)
        free(self->histograms[i]);
    *self = (metrics_row_t){0};
}

/* As a rule, they are: answers are sorted by name. */
static bool is_sorted(const metrics_table_t *self, metrics_range_t range)
{
    for (size_t i = range.from + 1; i < range.to; i++)
        if (compare_rows(row_at(self, i - 1), row_at(self, i)) > 0)
            return false;
    return true;
}

static void merge_rows(const metrics_table_t *self, metrics_row_t *rows, size_t count)
{
    for (size_t i = 1; i < count; i++)
        metrics_row_merge(self, &rows[0], &rows[i]);
}

void metrics_table_settle(metrics_table_t *self, metrics_range_t range, metrics_join_t join,
                          void *context)
{
    if (!is_sorted(self, range))
        qsort(row_at(self, range.from), range.to - range.from, sizeof(metrics_row_t), compare_rows);
    for (size_t i = range.from, next = 0; i < range.to; i = next) {
        metrics_row_t *first = row_at(self, i);
        for (next = i + 1; next < range.to && compare_rows(first, row_at(self, next)) == 0;)
            next++;
        if (join)
            join(context, self, first, next - i);
        else
            merge_rows(self, first, next - i);
        for (size_t j = i + 1; j < next; j++)
            metrics_row_clear(row_at(self, j));
    }
}

static void put_column(const metrics_table_t *self, size_t column, metrics_model_t *model)
{
    for (size_t i = 0; i < self->rows.count; i++) {
        const metrics_row_t *row = row_at(self, i);
        if (row->labels && row->values[column] != RESPONSE_UNKNOWN)
            metrics_model_add(model, row->labels, self->columns[column].extra, row->values[column]);
    }
}

static size_t columns_of_family(const metrics_table_t *self, size_t first)
{
    size_t i = first;
    while (i < self->column_count &&
           strcmp(self->columns[i].family.name, self->columns[first].family.name) == 0)
        i++;
    return i - first;
}

void metrics_table_put(metrics_table_t *self, metrics_model_t *model)
{
    for (size_t i = 0; i < self->column_count; i++) {
        const metrics_family_t *family = &self->columns[i].family;
        if (i == 0 || strcmp(self->columns[i - 1].family.name, family->name) != 0)
            metrics_model_begin(model, family, self->rows.count * columns_of_family(self, i));
        put_column(self, i, model);
    }
    for (size_t i = 0; i < self->histogram_count; i++) {
        metrics_model_begin(model, &self->histograms[i], 0);
        for (size_t j = 0; j < self->rows.count; j++) {
            const metrics_row_t *row = row_at(self, j);
            if (row->labels && row->histograms[i])
                metrics_model_add_histogram(model, row->labels, row->histograms[i]);
        }
    }
    metrics_table_clear(self);
}

void metrics_table_clear(metrics_table_t *self)
{
    for (size_t i = 0; i < self->rows.count; i++)
        metrics_row_clear(row_at(self, i));
    free(self->rows.items);
    self->rows = (vector_t){0};
}
