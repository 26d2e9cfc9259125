#include "monitor/analysis/published.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/name_set.h"
#include "base/vector.h"
#include "response/names.h"

/* A stream by its name without the host, and by its server's. */
typedef struct {
    uint64_t hash;
    const published_stream_t *stream;
} respelled_t;

/* All of them, sorted; made when it is first needed: as a rule, it isn't. */
typedef struct {
    respelled_t *list;
} respelling_t;

struct published {
    vector_t streams; /* published_stream_t, by name */
    const snapshot_t *snapshot;
    respelling_t *respelling;
};

/* In a container each start of a server has the same pid: the start time says more. */
static uint64_t process_of(const response_t *response)
{
    const char *began = response_process_began(response);
    return began ? name_set_hash((uint64_t)response->agent_pid, began) : 0;
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
    self->snapshot = current;
    self->respelling = memory_new(1, sizeof *self->respelling);
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
    free((*self)->respelling->list);
    free((*self)->respelling);
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

static int compare_respelled(const void *a, const void *b)
{
    const uint64_t left = ((const respelled_t *)a)->hash;
    const uint64_t right = ((const respelled_t *)b)->hash;
    return left < right ? -1 : left > right;
}

/* So many spellings of a stream by one server are looked at: more are a hostile server's. */
enum { SPELLINGS_MAXIMUM = 16 };

static uint64_t hash_of_respelled(const char *name, const char *server)
{
    return names_hash_but_host(name) ^ 31 * names_hash_but_host(server);
}

static const respelled_t *respelled_list(const published_t *self)
{
    if (self->respelling->list)
        return self->respelling->list;
    const published_stream_t *streams = self->streams.items;
    respelled_t *list = memory_new(self->streams.count, sizeof *list);
    for (size_t i = 0; i < self->streams.count; i++) {
        const bool is_of_one = streams[i].server != PUBLISHED_BY_SEVERAL;
        const char *server = is_of_one ? self->snapshot->replies[streams[i].server].server : NULL;
        list[i] =
            (respelled_t){hash_of_respelled(streams[i].name, server ? server : ""), &streams[i]};
    }
    qsort(list, self->streams.count, sizeof *list, compare_respelled);
    return self->respelling->list = list;
}

/* The first one that is not before that hash. */
static size_t respelled_from(const respelled_t *list, size_t count, uint64_t hash)
{
    size_t low = 0;
    for (size_t high = count; low < high;) {
        const size_t middle = low + (high - low) / 2;
        if (list[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_respelled(const published_t *self, const published_stream_t *stream,
                         const char *topic, const char *channel)
{
    if (stream->server == PUBLISHED_BY_SEVERAL || !stream->publisher)
        return false;
    const char *server = self->snapshot->replies[stream->server].server;
    return server && names_are_same_but_host(server, channel) &&
           names_have_same_port(stream->name, topic) &&
           names_are_same_but_host(stream->name, topic);
}

const published_stream_t *published_find_respelled(const published_t *self, const char *topic,
                                                   const char *channel)
{
    const size_t count = self->streams.count;
    if (count == 0 || !channel)
        return NULL;
    const respelled_t *list = respelled_list(self);
    const uint64_t hash = hash_of_respelled(topic, channel);
    const size_t first = respelled_from(list, count, hash);
    const published_stream_t *found = NULL;
    for (size_t i = first; i < count && list[i].hash == hash; i++) {
        if (i - first >= SPELLINGS_MAXIMUM)
            return NULL;
        if (!is_respelled(self, list[i].stream, topic, channel))
            continue;
        if (found)
            return NULL;
        found = list[i].stream;
    }
    return found;
}
