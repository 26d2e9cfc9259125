#include "monitor/view/metrics/metrics_page.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "monitor/view/metrics/metrics_collector.h"
#include "monitor/view/metrics/metrics_model.h"
#include "monitor/view/metrics/metrics_own.h"
#include "monitor/view/metrics/metrics_sink.h"

struct metrics_store {
    metrics_options_t options;
    pthread_mutex_t lock; /* of what follows */
    metrics_own_t own;
    metrics_model_t *model; /* of the newest observation; NULL: there was none yet */
};

enum { PART_OWN, PART_OBSERVATION, PART_END, PARTS };

/* Where the reader of a page is. */
typedef struct {
    uint64_t position; /* of the next line */
    unsigned part;
    metrics_reader_t reader;
    size_t line_size;
    char line[METRICS_LINE_SIZE]; /* the line before that position */
} cursor_t;

struct metrics_page {
    metrics_format_t format;
    metrics_model_t *models[PART_END]; /* that of the observation may be NULL */
    uint64_t size;
    cursor_t *cursor;
};

typedef struct {
    sink_t sink; /* comes first */
    metrics_store_t *store;
    metrics_collector_t *collector;
} metrics_sink_t;

const char *metrics_content_type(metrics_format_t format)
{
    return format == METRICS_OPENMETRICS
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}

/* ---- the store ---- */

metrics_store_t *metrics_store_new(const metrics_options_t *options)
{
    metrics_store_t *self = memory_new(1, sizeof *self);
    pthread_mutex_init(&self->lock, NULL);
    self->options = *options;
    self->own.series_limit = (int64_t)options->series_limit;
    self->own.poll_period = options->poll_period;
    return self;
}

void metrics_store_destroy(metrics_store_t **self)
{
    if (!*self)
        return;
    metrics_model_release(&(*self)->model);
    pthread_mutex_destroy(&(*self)->lock);
    free(*self);
    *self = NULL;
}

bool metrics_store_is_ready(metrics_store_t *self)
{
    pthread_mutex_lock(&self->lock);
    const bool ready = self->own.is_ready;
    pthread_mutex_unlock(&self->lock);
    return ready;
}

/* Takes the model over. */
static void renew(metrics_store_t *self, const metrics_collected_t *collected,
                  const snapshot_t *snapshot)
{
    int64_t failed = 0;
    for (size_t i = 0; i < snapshot->reply_count; i++)
        failed += !snapshot->replies[i].response;
    pthread_mutex_lock(&self->lock);
    metrics_model_t *old = self->model;
    self->model = collected->model;
    self->own.is_ready = true;
    self->own.time = snapshot->time;
    self->own.asked = snapshot->asked;
    self->own.polls++;
    self->own.servers = (int64_t)snapshot->reply_count;
    self->own.failed = failed;
    self->own.series = (int64_t)collected->series;
    self->own.summed_streams = (int64_t)collected->summed_streams;
    pthread_mutex_unlock(&self->lock);
    metrics_model_release(&old);
}

/* ---- a page ---- */

static const char end_of_openmetrics[] = "# EOF\n";

static size_t end_size(metrics_format_t format)
{
    return format == METRICS_OPENMETRICS ? sizeof end_of_openmetrics - 1 : 0;
}

metrics_page_t *metrics_store_page(metrics_store_t *self, metrics_format_t format)
{
    metrics_page_t *page = memory_new(1, sizeof *page);
    page->cursor = memory_new(1, sizeof *page->cursor);
    page->format = format;
    pthread_mutex_lock(&self->lock);
    const metrics_own_t own = self->own;
    if (self->model)
        page->models[PART_OBSERVATION] = metrics_model_share(self->model);
    pthread_mutex_unlock(&self->lock);
    page->models[PART_OWN] = metrics_own_now(&own);
    for (size_t i = 0; i < PART_END; i++)
        if (page->models[i])
            page->size += metrics_model_size(page->models[i], format);
    page->size += end_size(format);
    return page;
}

uint64_t metrics_page_size(const metrics_page_t *self)
{
    return self->size;
}

/* The next line of a page; its size, 0 at the end. */
static size_t next_line(const metrics_page_t *self, char *line)
{
    cursor_t *cursor = self->cursor;
    for (; cursor->part < PART_END; cursor->part++) {
        const metrics_model_t *model = self->models[cursor->part];
        if (!model)
            continue;
        if (!cursor->reader.model)
            cursor->reader = (metrics_reader_t){.model = model, .format = self->format};
        const size_t size = metrics_reader_next(&cursor->reader, line);
        if (size > 0)
            return size;
        cursor->reader = (metrics_reader_t){0};
    }
    if (cursor->part >= PARTS)
        return 0;
    cursor->part++;
    memcpy(line, end_of_openmetrics, end_size(self->format));
    return end_size(self->format);
}

/* Copies from the line that the cursor keeps, from a position on; 0: it isn't in there. */
static size_t copy_kept(const cursor_t *cursor, uint64_t position, char *buffer, size_t size)
{
    const uint64_t begin = cursor->position - cursor->line_size;
    if (position < begin || position >= cursor->position)
        return 0;
    const size_t offset = (size_t)(position - begin);
    const size_t left = cursor->line_size - offset;
    const size_t count = size < left ? size : left;
    memcpy(buffer, cursor->line + offset, count);
    return count;
}

size_t metrics_page_read(const metrics_page_t *self, uint64_t position, char *buffer, size_t size)
{
    cursor_t *cursor = self->cursor;
    if (position < cursor->position - cursor->line_size)
        *cursor = (cursor_t){0}; /* whoever reads from the start again waits a little longer */
    size_t done = copy_kept(cursor, position, buffer, size);
    while (done < size) {
        /* In place, if the longest line fits in and all before it was wanted. */
        const bool in_place =
            size - done >= METRICS_LINE_SIZE && cursor->position == position + done;
        const size_t length = next_line(self, in_place ? buffer + done : cursor->line);
        if (length == 0)
            break;
        cursor->position += length;
        cursor->line_size = in_place ? 0 : length;
        done += in_place ? length : copy_kept(cursor, position + done, buffer + done, size - done);
    }
    return done;
}

void metrics_page_destroy(metrics_page_t **self)
{
    if (!*self)
        return;
    for (size_t i = 0; i < PART_END; i++)
        metrics_model_release(&(*self)->models[i]);
    free((*self)->cursor);
    free(*self);
    *self = NULL;
}

/* ---- the sink ---- */

static sink_result_t show(sink_t *sink, const observation_t *observation, char **error)
{
    metrics_sink_t *self = (metrics_sink_t *)sink;
    *error = NULL;
    const metrics_collected_t collected = metrics_collect(self->collector, observation);
    renew(self->store, &collected, observation->snapshot);
    return SINK_OK;
}

static void destroy(sink_t **sink)
{
    metrics_sink_t *self = (metrics_sink_t *)*sink;
    metrics_collector_destroy(&self->collector);
    free(self);
    *sink = NULL;
}

sink_t *metrics_sink_new(metrics_store_t *store)
{
    static const sink_methods_t methods = {.show = show, .destroy = destroy};
    metrics_sink_t *self = memory_new(1, sizeof *self);
    self->sink = (sink_t){.methods = &methods, .compares = true};
    self->store = store;
    self->collector = metrics_collector_new(&store->options);
    return &self->sink;
}
