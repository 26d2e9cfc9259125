#include "monitor/view/metrics/metrics_sums.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static bool is_counter(const metrics_table_t *table, size_t column)
{
    return table->columns[column].family.type == METRICS_COUNTER;
}

static int compare_ids(const void *a, const void *b)
{
    const metrics_row_t *left = a;
    const metrics_row_t *right = b;
    return left->id < right->id ? -1 : left->id > right->id;
}

static const metrics_row_t *find_member(const metrics_sums_t *self, uint64_t id)
{
    const metrics_row_t key = {.id = id};
    if (self->members.count == 0)
        return NULL;
    return bsearch(&key, self->members.items, self->members.count, sizeof key, compare_ids);
}

/* ---- increases ---- */

/* Of a counter that may have begun anew. */
static int64_t increase(int64_t before, int64_t now)
{
    return now < before ? now : now - before;
}

static bool has_fallen(const metrics_histogram_t *before, const metrics_histogram_t *now)
{
    for (size_t i = 0; i <= METRICS_BOUNDS; i++)
        if (now->counts[i] < before->counts[i])
            return true;
    return false;
}

static void add_increase(metrics_histogram_t *self, const metrics_histogram_t *before,
                         const metrics_histogram_t *now)
{
    metrics_histogram_t added = *now;
    if (before && !has_fallen(before, now)) {
        for (size_t i = 0; i <= METRICS_BOUNDS; i++)
            added.counts[i] -= before->counts[i];
        added.sum_nanos = metrics_sum(
            now->sum_nanos, before->sum_nanos == INT64_MIN ? INT64_MAX : -before->sum_nanos);
    }
    metrics_histogram_merge(self, &added);
}

/* base: what has been counted already; NULL: nothing. */
static void add_row(metrics_sums_t *self, const metrics_table_t *table, const metrics_row_t *base,
                    const metrics_row_t *row)
{
    metrics_row_t added = *row;
    for (size_t i = 0; i < table->column_count; i++)
        if (is_counter(table, i) && base && row->values[i] != RESPONSE_UNKNOWN)
            added.values[i] =
                base->values[i] == RESPONSE_UNKNOWN ? 0 : increase(base->values[i], row->values[i]);
    memset(added.histograms, 0, sizeof added.histograms);
    metrics_row_merge(table, &self->sums, &added);
    for (size_t i = 0; i < table->histogram_count; i++)
        if (row->histograms[i])
            add_increase(metrics_row_histogram(&self->sums, i), base ? base->histograms[i] : NULL,
                         row->histograms[i]);
}

/* ---- members ---- */

static void clear_members(vector_t *members)
{
    for (size_t i = 0; i < members->count; i++)
        metrics_row_clear(&((metrics_row_t *)members->items)[i]);
    free(members->items);
    *members = (vector_t){.item_size = sizeof(metrics_row_t)};
}

/* A copy with its own histograms; what it doesn't know is as it was known before. */
static void remember(vector_t *members, const metrics_table_t *table, const metrics_row_t *row,
                     const metrics_row_t *before)
{
    metrics_row_t *member = vector_add(members);
    *member = *row;
    member->labels = NULL;
    for (size_t i = 0; i < METRICS_TABLE_HISTOGRAMS; i++) {
        const metrics_histogram_t *last = row->histograms[i] ? row->histograms[i]
                                          : before           ? before->histograms[i]
                                                             : NULL;
        member->histograms[i] = NULL;
        if (last)
            *metrics_row_histogram(member, i) = *last;
    }
    for (size_t i = 0; before && i < table->column_count; i++)
        if (member->values[i] == RESPONSE_UNKNOWN)
            member->values[i] = before->values[i];
}

/* Levels are those of now; counters go on. */
static void begin_anew(metrics_row_t *sums, const metrics_table_t *table, bool has_begun)
{
    for (size_t i = 0; i < METRICS_COLUMNS; i++)
        if (!has_begun || i >= table->column_count || !is_counter(table, i))
            sums->values[i] = RESPONSE_UNKNOWN;
}

void metrics_sums_take(metrics_sums_t *self, const metrics_table_t *table,
                       const metrics_row_t *rows, size_t count, bool from_zero, bool is_whole)
{
    vector_t members = {.item_size = sizeof(metrics_row_t)};
    begin_anew(&self->sums, table, self->has_begun);
    for (size_t i = 0; i < count; i++) {
        const metrics_row_t *before = find_member(self, rows[i].id);
        const bool is_old = self->has_begun ? !is_whole : from_zero;
        add_row(self, table, before ? before : is_old ? &rows[i] : NULL, &rows[i]);
        remember(&members, table, &rows[i], before);
    }
    if (members.count > 1)
        qsort(members.items, members.count, sizeof(metrics_row_t), compare_ids);
    clear_members(&self->members);
    self->members = members;
    self->has_begun = true;
}

void metrics_sums_give(const metrics_sums_t *self, const metrics_table_t *table, metrics_row_t *row)
{
    memcpy(row->values, self->sums.values, sizeof row->values);
    for (size_t i = 0; i < table->histogram_count; i++)
        if (self->sums.histograms[i])
            *metrics_row_histogram(row, i) = *self->sums.histograms[i];
}

void metrics_sums_forget(metrics_sums_t *self)
{
    clear_members(&self->members);
}

void metrics_sums_clear(metrics_sums_t *self)
{
    clear_members(&self->members);
    metrics_row_clear(&self->sums);
    *self = (metrics_sums_t){0};
}
