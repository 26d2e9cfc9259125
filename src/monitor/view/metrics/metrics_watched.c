#include "monitor/view/metrics/metrics_watched.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* ---- streams with the same labels ---- */

/* They are summed up, and stay so as long as one of them is there. */
typedef struct {
    char *labels;
    size_t size;
    bool is_there;
    metrics_sums_t sums;
} twins_t;

static twins_t *twins_at(const vector_t *self, size_t i)
{
    return &((twins_t *)self->items)[i];
}

static twins_t *find_twins(const vector_t *self, const metrics_kept_t *labels)
{
    for (size_t i = 0; i < self->count; i++) {
        twins_t *one = twins_at(self, i);
        if (one->size == labels->size && memcmp(one->labels, labels->text, labels->size) == 0)
            return one;
    }
    return NULL;
}

static twins_t *add_twins(vector_t *self, const metrics_kept_t *labels)
{
    self->item_size = sizeof(twins_t);
    twins_t *one = vector_add(self);
    one->labels = memory_copy(labels->text, labels->size);
    one->size = labels->size;
    return one;
}

static void clear_twins(twins_t *self)
{
    free(self->labels);
    metrics_sums_clear(&self->sums);
}

/* So many are kept apart: a server that has more makes them up. */
enum { TWINS_MAXIMUM = 100 };

typedef struct {
    vector_t *twins;
    bool is_whole;
} joining_t;

static void join(void *context, const metrics_table_t *table, metrics_row_t *rows, size_t count)
{
    const joining_t *joining = context;
    twins_t *twins = find_twins(joining->twins, rows->labels);
    if (!twins && count > 1 && joining->twins->count < TWINS_MAXIMUM)
        twins = add_twins(joining->twins, rows->labels);
    if (twins) {
        metrics_sums_take(&twins->sums, table, rows, count, false, joining->is_whole);
        metrics_sums_give(&twins->sums, table, rows);
        twins->is_there = true;
    }
    for (size_t i = 1; !twins && i < count; i++)
        metrics_row_merge(table, &rows[0], &rows[i]);
}

static void settle_twins(vector_t *self)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        twins_t *one = twins_at(self, i);
        if (!one->is_there) {
            clear_twins(one);
            continue;
        }
        one->is_there = false;
        *twins_at(self, kept++) = *one;
    }
    self->count = kept;
}

/* ---- a server ---- */

static void clear_sums(metrics_watched_t *self)
{
    for (size_t i = 0; i < METRICS_STREAM_TABLES; i++)
        metrics_sums_clear(&self->sums[i]);
}

static void drop_twins(metrics_watched_t *self)
{
    for (size_t i = 0; i < METRICS_STREAM_TABLES; i++) {
        for (size_t j = 0; j < self->twins[i].count; j++)
            clear_twins(twins_at(&self->twins[i], j));
        free(self->twins[i].items);
        self->twins[i] = (vector_t){0};
    }
}

static void forget_members(metrics_watched_t *self)
{
    for (size_t i = 0; i < METRICS_STREAM_TABLES; i++) {
        metrics_sums_forget(&self->sums[i]);
        for (size_t j = 0; j < self->twins[i].count; j++)
            metrics_sums_forget(&twins_at(&self->twins[i], j)->sums);
    }
}

/* Long labels count for several, so that a page is bounded whatever names there are. */
enum { LABELS_OF_ONE = 512 };

void metrics_watched_weigh(metrics_watched_t *self, const metrics_tables_t *tables,
                           const metrics_range_t ranges[METRICS_STREAM_TABLES])
{
    self->load.streams = self->load.series = self->load.sums = 0;
    for (size_t i = 0; i < METRICS_STREAM_TABLES; i++) {
        bool known[METRICS_COLUMNS + METRICS_TABLE_HISTOGRAMS] = {false};
        for (size_t j = ranges[i].from; j < ranges[i].to; j++) {
            const metrics_row_t *row = metrics_table_row(&tables->streams[i], j);
            self->load.series += metrics_row_series(row) * (1 + row->labels->size / LABELS_OF_ONE);
            for (size_t k = 0; k < METRICS_COLUMNS; k++)
                known[k] |= row->values[k] != RESPONSE_UNKNOWN;
            for (size_t k = 0; k < METRICS_TABLE_HISTOGRAMS; k++)
                known[METRICS_COLUMNS + k] |= row->histograms[k] != NULL;
        }
        if (i != STREAMS_CHANNELS)
            self->load.streams += ranges[i].to - ranges[i].from;
        for (size_t k = 0; k < METRICS_COLUMNS; k++)
            self->load.sums += known[k];
        for (size_t k = 0; k < METRICS_TABLE_HISTOGRAMS; k++)
            self->load.sums += known[METRICS_COLUMNS + k] ? METRICS_HISTOGRAM_SERIES : 0;
    }
}

static void sum_up(metrics_watched_t *self, metrics_table_t *table, size_t which,
                   metrics_range_t range, const metrics_kept_t *labels)
{
    metrics_sums_t *sums = &self->sums[which];
    if (range.from == range.to && !sums->has_begun)
        return;
    const metrics_row_t *rows = range.from < range.to ? metrics_table_row(table, range.from) : NULL;
    metrics_sums_take(sums, table, rows, range.to - range.from, true, self->was_whole);
    for (size_t i = range.from; i < range.to; i++)
        metrics_row_clear(metrics_table_row(table, i));
    metrics_sums_give(sums, table, metrics_table_add(table, labels, 0));
}

void metrics_watched_join(metrics_watched_t *self, metrics_tables_t *tables,
                          const metrics_range_t ranges[METRICS_STREAM_TABLES],
                          const metrics_kept_t *labels, bool is_another_process, bool is_whole)
{
    if (is_another_process) {
        forget_members(self);
        self->was_whole = true;
    }
    if (self->load.is_summed)
        drop_twins(self);
    else
        clear_sums(self);
    for (size_t i = 0; i < METRICS_STREAM_TABLES; i++) {
        joining_t joining = {.twins = &self->twins[i], .is_whole = self->was_whole};
        if (self->load.is_summed) {
            sum_up(self, &tables->streams[i], i, ranges[i], labels);
        } else {
            metrics_table_settle(&tables->streams[i], ranges[i], join, &joining);
            settle_twins(&self->twins[i]);
        }
    }
    self->was_whole = is_whole;
}

/* ---- all of them ---- */

metrics_watched_t *metrics_watch_find(metrics_watch_t *self, const char *name, size_t place)
{
    metrics_watched_t *found = NULL;
    for (size_t i = 0; i < self->count && !found; i++) {
        metrics_watched_t *one = self->list[(place + i) % self->count];
        if (strcmp(one->name, name) == 0)
            found = one;
    }
    if (found && found->is_there)
        return NULL;
    if (!found) {
        self->list = memory_resize(self->list, self->count + 1, sizeof(metrics_watched_t *));
        found = self->list[self->count++] = memory_new(1, sizeof *found);
        found->name = memory_string(name);
    }
    found->is_there = true;
    return found;
}

static void destroy(metrics_watched_t *self)
{
    clear_sums(self);
    drop_twins(self);
    free(self->name);
    free(self);
}

void metrics_watch_settle(metrics_watch_t *self)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        metrics_watched_t *one = self->list[i];
        if (!one->is_there) {
            destroy(one);
            continue;
        }
        one->is_there = false;
        self->list[kept++] = one;
    }
    self->count = kept;
}

void metrics_watch_clear(metrics_watch_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        destroy(self->list[i]);
    free(self->list);
    *self = (metrics_watch_t){0};
}
