#include "monitor/analysis/published.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/name_set.h"
#include "base/vector.h"

struct published {
    vector_t streams; /* published_stream_t, by name */
};

/* In a container each start of a server has the same pid: the start time says more. */
static uint64_t process_of(const response_t *response)
{
    if (!response->agent_attached)
        return 0;
    return name_set_hash((uint64_t)response->agent_pid, response->agent_attached);
}

/* current: the answer's counts are used; otherwise only that there is such a stream. */
static void add_response(published_t *self, const response_t *response, size_t server,
                         double answered, bool current)
{
    const uint64_t process = current ? process_of(response) : 0;
    for (size_t i = 0; i < response->publisher_count; i++) {
        const response_publisher_t *publisher = &response->publishers[i];
        published_stream_t *stream = vector_add(&self->streams);
        *stream = (published_stream_t){.name = publisher->name,
                                       .count = current ? response_pushed_count(response, publisher)
                                                        : RESPONSE_UNKNOWN,
                                       .process = process,
                                       .answered = answered,
                                       .server = server,
                                       .publisher = current ? publisher : NULL};
    }
}

static int compare_streams(const void *a, const void *b)
{
    const published_stream_t *left = a;
    const published_stream_t *right = b;
    const int order = strcmp(left->name, right->name);
    if (order != 0)
        return order;
    return left->server < right->server ? -1 : left->server > right->server;
}

/* One of a server is its count now, if it has that. */
static void merge(published_stream_t *self, const published_stream_t *other)
{
    if (self->server != other->server) {
        *self = (published_stream_t){
            .name = self->name, .count = RESPONSE_UNKNOWN, .server = PUBLISHED_BY_SEVERAL};
    } else if (self->count == RESPONSE_UNKNOWN) {
        *self = *other;
    }
}

/* It isn't known which of two servers a subscription gets its events from. */
static void merge_equal_names(published_t *self)
{
    published_stream_t *streams = self->streams.items;
    size_t kept = 0;
    for (size_t i = 0; i < self->streams.count; i++)
        if (kept > 0 && strcmp(streams[kept - 1].name, streams[i].name) == 0)
            merge(&streams[kept - 1], &streams[i]);
        else
            streams[kept++] = streams[i];
    self->streams.count = kept;
}

/* Whether a server may push more than its answer shows. */
static bool may_push_more(const reply_t *reply)
{
    return !reply->response || reply->error || reply->response->truncated.event_streams > 0 ||
           reply->response->truncated.event_counters > 0;
}

published_t *published_new(const snapshot_t *previous, const snapshot_t *current)
{
    published_t *self = memory_new(1, sizeof *self);
    self->streams.item_size = sizeof(published_stream_t);
    for (size_t i = 0; i < current->reply_count; i++) {
        const reply_t *reply = &current->replies[i];
        if (reply->response && !reply->error)
            add_response(self, reply->response, i, reply->answered, true);
        const reply_t *last =
            previous && may_push_more(reply) ? snapshot_find(previous, reply->server, i) : NULL;
        if (last && last->response)
            add_response(self, last->response, i, 0, false);
    }
    if (self->streams.count > 1)
        qsort(self->streams.items, self->streams.count, sizeof(published_stream_t),
              compare_streams);
    merge_equal_names(self);
    return self;
}

void published_destroy(published_t **self)
{
    if (!*self)
        return;
    free((*self)->streams.items);
    free(*self);
    *self = NULL;
}

static int compare_name(const void *name, const void *stream)
{
    return strcmp(name, ((const published_stream_t *)stream)->name);
}

const published_stream_t *published_find(const published_t *self, const char *name)
{
    if (self->streams.count == 0)
        return NULL;
    return bsearch(name, self->streams.items, self->streams.count, sizeof(published_stream_t),
                   compare_name);
}
