#include "agent/answer/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/answer/json_writer.h"
#include "agent/platform/clocks.h"
#include "agent/tango/topic_name.h"
#include "version.h"

/* The keys of the two schemas. */
typedef struct {
    const char *perf;
    const char *attr_name;
    const char *latency;
    bool is_legacy;
} dialect_t;

static const dialect_t dialects[] = {
    [ANSWER_VERSION_1] = {"perf", "attr_name", "first_callback_latency_micros", false},
    [ANSWER_LEGACY] = {"perf_stats", "att_name", "first_callback_lactency_micros", true},
};

static const char *const legacy_kind_names[] = {
    [EVENT_ATT_VALUE] = "ATT_VALUE", [EVENT_ATT_CONF] = "ATT_CONF", [EVENT_ATT_READY] = "ATT_READY",
    [EVENT_DEV_INTR] = "DEV_INTR",   [EVENT_PIPE] = "PIPE",         [EVENT_UNKNOWN] = "UNKNOWN",
};

/*
 * A list of the answer, and its share of the answer's size: a larger answer than all of them
 * together would be refused by the ORB, whose messages Tango limits to 256 MiB, or before that, its
 * copies would fill the server's memory. Entries that don't fit are only counted.
 */
typedef enum {
    LIST_COUNTERS,
    LIST_STREAMS,
    LIST_CALLBACKS,
    LIST_NOT_CONNECTED,
    LIST_CHANNELS,
    LISTS
} list_t;

static const struct {
    const char *key;
    unsigned mebibytes;
} list_limits[LISTS] = {
    [LIST_COUNTERS] = {"event_counters", 8},    [LIST_STREAMS] = {"event_streams", 32},
    [LIST_CALLBACKS] = {"event_callbacks", 40}, [LIST_NOT_CONNECTED] = {"not_connected", 4},
    [LIST_CHANNELS] = {"event_channels", 8},
};

typedef struct {
    json_writer_t *json;
    const dialect_t *dialect;
    size_t begun[LISTS]; /* the size of the answer at the beginning of the list */
    uint64_t left_out[LISTS];
} answer_t;

static void begin_list(answer_t *self, list_t list)
{
    json_key(self->json, list_limits[list].key);
    self->begun[list] = json_size(self->json);
}

/* Whether there may be one more entry; if not, it is counted. */
static bool has_space(answer_t *self, list_t list)
{
    if (json_size(self->json) - self->begun[list] < (size_t)list_limits[list].mebibytes << 20)
        return true;
    self->left_out[list]++;
    return false;
}

static void key_count(json_writer_t *json, const char *key, uint64_t value)
{
    json_key(json, key);
    json_unsigned(json, value);
}

static void key_null(json_writer_t *json, const char *key)
{
    json_key(json, key);
    json_null(json);
}

static void key_time(json_writer_t *json, const char *key, int64_t time_ns)
{
    json_key(json, key);
    json_time(json, time_ns);
}

/* A duration in whole microseconds. null if not known; -1 in the legacy schema. */
static void key_micros(json_writer_t *json, const dialect_t *dialect, const char *key, int64_t ns)
{
    json_key(json, key);
    if (ns != SAMPLE_UNKNOWN)
        json_integer(json, ns / 1000);
    else if (dialect->is_legacy)
        json_integer(json, -1);
    else
        json_null(json);
}

static void write_push_samples(json_writer_t *json, const dialect_t *dialect, samples_t *samples,
                               samples_reader_t *reader)
{
    static const push_sample_t none;
    json_key(json, dialect->perf);
    if (!samples_enabled(samples) || atomic_load(&samples->pushes_unwatched)) {
        json_null(json);
        return;
    }
    push_sample_t *list = calloc(RING_SIZE, sizeof none);
    size_t count = list ? samples_read_pushed(samples, reader, list) : 0;
    json_open_list(json);
    for (size_t i = 0; i < count; i++) {
        json_open_object(json);
        key_micros(json, dialect, "micros_since_last_event", list[i].since_last_ns);
        key_micros(json, dialect, "push_event_micros", list[i].push_event_ns);
        json_close_object(json);
    }
    json_close_list(json);
    free(list);
}

static void write_receive_sample(json_writer_t *json, const dialect_t *dialect,
                                 const receive_sample_t *sample)
{
    bool discarded = sample->kind_and_discarded & 1;
    json_open_object(json);
    json_key(json, dialect->attr_name);
    json_string(json, sample->attr_name);
    if (dialect->is_legacy) {
        json_key(json, "event_type");
        json_string(json, legacy_kind_names[sample->kind_and_discarded >> 1]);
    }
    key_micros(json, dialect, "micros_since_last_event", sample->since_last_ns);
    key_micros(json, dialect, "sleep_micros", sample->sleep_ns);
    key_micros(json, dialect, "process_micros", sample->process_ns);
    key_micros(json, dialect, dialect->latency, sample->latency_ns);
    json_key(json, "callback_count");
    if (sample->callback_count == SAMPLE_UNKNOWN)
        json_null(json);
    else
        json_integer(json, sample->callback_count);
    json_key(json, "wake_count");
    json_integer(json, sample->wake_count);
    if (!dialect->is_legacy) {
        json_key(json, "discarded");
        json_bool(json, discarded);
    }
    json_close_object(json);
}

static void write_receive_samples(json_writer_t *json, const dialect_t *dialect, samples_t *samples,
                                  samples_reader_t *reader)
{
    json_key(json, dialect->perf);
    if (!samples_enabled(samples)) {
        json_null(json);
        return;
    }
    receive_sample_t *list = calloc(RING_SIZE, sizeof *list);
    size_t count = list ? samples_read_received(samples, reader, list) : 0;
    json_open_list(json);
    for (size_t i = 0; i < count; i++)
        write_receive_sample(json, dialect, &list[i]);
    json_close_list(json);
    free(list);
}

/* Its non-empty buckets, as [from, below, how many]; null: unbounded. */
static void key_histogram(json_writer_t *json, const char *key, histogram_t *histogram)
{
    uint64_t total = 0;
    json_key(json, key);
    if (!histogram) {
        json_null(json);
        return;
    }
    json_open_object(json);
    json_key(json, "buckets");
    json_open_list(json);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t count = atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
        if (count == 0)
            continue;
        total += count;
        int64_t from_ns;
        int64_t to_ns;
        histogram_bounds(i, &from_ns, &to_ns);
        json_open_list(json);
        if (from_ns == INT64_MIN)
            json_null(json);
        else
            json_integer(json, from_ns);
        if (to_ns == INT64_MAX)
            json_null(json);
        else
            json_integer(json, to_ns);
        json_unsigned(json, count);
        json_close_list(json);
    }
    json_close_list(json);
    key_count(json, "count", total);
    json_key(json, "sum_nanos");
    json_integer(json, atomic_load_explicit(&histogram->sum_ns, memory_order_relaxed));
    json_key(json, "max_nanos");
    json_integer(json, atomic_load_explicit(&histogram->max_ns, memory_order_relaxed));
    json_close_object(json);
}

/* The published streams that have or had a subscriber, each read once. */
typedef struct {
    const char *name;
    stream_view_t view;
    histogram_t *push_times;
} named_stream_t;

static named_stream_t *view_streams(streams_t *streams, size_t *count)
{
    size_t all;
    table_entry_t **entries = table_sorted(&streams->published.streams, &all);
    named_stream_t *named = all > 0 ? calloc(all, sizeof *named) : NULL;
    *count = 0;
    for (size_t i = 0; named && i < all; i++) {
        stream_t *stream = (stream_t *)entries[i];
        named[*count].name = stream->entry.name;
        named[*count].push_times = atomic_load_explicit(&stream->push_times, memory_order_acquire);
        if (stream_view(stream, &named[*count].view))
            (*count)++;
    }
    free(entries);
    return named;
}

static void key_listeners(json_writer_t *json, listeners_t listeners)
{
    json_key(json, "has_subscribers");
    if (listeners == LISTENERS_UNKNOWN)
        json_null(json);
    else
        json_bool(json, listeners == LISTENERS_SOME);
}

static void write_stream(json_writer_t *json, const named_stream_t *stream, int64_t now_ns)
{
    const stream_view_t *view = &stream->view;
    json_key(json, stream->name);
    json_open_object(json);
    if (view->uncountable || view->partial)
        key_null(json, "pushed_event_count");
    else
        key_count(json, "pushed_event_count", view->pushed_event_count);
    if (view->uncountable) {
        key_null(json, "known_pushed_event_count");
        key_null(json, "byte_count");
    } else {
        key_count(json, "known_pushed_event_count", view->pushed_event_count);
        key_count(json, "byte_count", view->byte_count);
    }
    key_time(json, "last_event", view->last_event_ns);
    key_time(json, "last_subscription", view->last_subscription_ns);
    key_listeners(json, stream_listeners(view, now_ns));
    key_histogram(json, "push_event_histogram", stream->push_times);
    json_close_object(json);
}

static void write_server(answer_t *self, streams_t *streams, samples_t *samples,
                         samples_reader_t *reader)
{
    json_writer_t *json = self->json;
    size_t count;
    named_stream_t *published = view_streams(streams, &count);
    int64_t now_ns = clock_realtime_ns();

    json_key(json, "server");
    json_open_object(json);
    begin_list(self, LIST_COUNTERS);
    json_open_object(json);
    for (size_t i = 0; i < count; i++)
        if (!published[i].view.uncountable && !published[i].view.partial &&
            has_space(self, LIST_COUNTERS))
            key_count(json, published[i].name, published[i].view.pushed_event_count);
    json_close_object(json);
    write_push_samples(json, self->dialect, samples, reader);

    if (!self->dialect->is_legacy) {
        begin_list(self, LIST_STREAMS);
        json_open_object(json);
        for (size_t i = 0; i < count; i++)
            if (has_space(self, LIST_STREAMS))
                write_stream(json, &published[i], now_ns);
        json_close_object(json);
    }
    json_close_object(json);
    free(published);
}

/* What an answer has of a topic, in this order. */
typedef enum {
    KEY_COUNT,
    KEY_LOSS, /* a count; null where losses can't be told */
    KEY_TIME
} key_kind_t;

typedef struct {
    const char *key;
    key_kind_t kind;
    size_t offset;  /* in topic_view_t */
    bool is_legacy; /* both schemas have it */
} topic_key_t;

#define COUNT(which) offsetof(topic_view_t, counts[which])

static const topic_key_t topic_keys[] = {
    {"event_count", KEY_COUNT, COUNT(TOPIC_EVENT_COUNT), true},
    {"missed_event_count", KEY_COUNT, COUNT(TOPIC_MISSED_COUNT), true},
    {"discarded_event_count", KEY_COUNT, COUNT(TOPIC_DISCARDED_COUNT), false},
    {"last_resubscribed", KEY_TIME, offsetof(topic_view_t, last_resubscribed_ns), false},
    {"error_event_count", KEY_COUNT, COUNT(TOPIC_ERROR_COUNT), false},
    {"last_error_event", KEY_TIME, offsetof(topic_view_t, last_error_event_ns), false},
    {"known_lost_event_count", KEY_COUNT, COUNT(TOPIC_LOST_COUNT), false},
    {"lost_event_count", KEY_LOSS, COUNT(TOPIC_LOST_COUNT), false},
    {"outage_lost_event_count", KEY_LOSS, COUNT(TOPIC_OUTAGE_LOST_COUNT), false},
    {"publisher_restart_count", KEY_COUNT, COUNT(TOPIC_RESTART_COUNT), false},
    {"byte_count", KEY_COUNT, COUNT(TOPIC_BYTE_COUNT), false},
    {"last_event", KEY_TIME, offsetof(topic_view_t, last_event_ns), false},
};

static void write_topic_key(json_writer_t *json, const topic_key_t *key, const topic_view_t *view)
{
    const void *value = (const char *)view + key->offset;
    if (key->kind == KEY_TIME)
        key_time(json, key->key, *(const int64_t *)value);
    else if (key->kind == KEY_LOSS && (view->no_server_counter || view->unbased))
        key_null(json, key->key);
    else
        key_count(json, key->key, *(const uint64_t *)value);
}

static void write_topic(answer_t *self, topic_t *topic, counts_t *counts, int64_t attached_ns)
{
    json_writer_t *json = self->json;
    topic_view_t copy;
    const topic_view_t *view = &copy;
    topic_view(topic, &copy);
    if (!view->subscribed || !has_space(self, LIST_CALLBACKS))
        return;
    json_key(json, topic->entry.name);
    json_open_object(json);
    json_key(json, "channel_name");
    if (view->channel)
        json_string(json, view->channel->entry.name);
    else
        json_null(json);
    json_key(json, "callback_count");
    if (view->callback_count == TOPIC_CALLBACKS_UNKNOWN ||
        !atomic_load_explicit(&counts->subscriptions.watched, memory_order_acquire))
        json_null(json);
    else
        json_integer(json, view->callback_count);
    key_count(json, "server_counter", view->server_counter);
    for (size_t i = 0; i < sizeof topic_keys / sizeof *topic_keys; i++)
        if (topic_keys[i].is_legacy || !self->dialect->is_legacy)
            write_topic_key(json, &topic_keys[i], view);
    if (self->dialect->is_legacy) {
        /* Clients of the patched servers expect a time, never null. */
        key_time(json, "last_resubscribed",
                 view->last_resubscribed_ns ? view->last_resubscribed_ns : attached_ns);
        json_close_object(json);
        return;
    }
    topic_times_t *times = atomic_load_explicit(&topic->times, memory_order_acquire);
    key_histogram(json, "latency_histogram", times ? &times->latency : NULL);
    key_histogram(json, "processing_histogram", times ? &times->processing : NULL);
    json_close_object(json);
}

static void write_topics(answer_t *self, counts_t *counts, int64_t attached_ns)
{
    size_t count;
    table_entry_t **topics = table_sorted(&counts->streams.topics, &count);
    begin_list(self, LIST_CALLBACKS);
    json_open_object(self->json);
    for (size_t i = 0; i < count; i++)
        write_topic(self, (topic_t *)topics[i], counts, attached_ns);
    json_close_object(self->json);
    free(topics);
}

static void write_channels(answer_t *self, streams_t *streams)
{
    json_writer_t *json = self->json;
    size_t count;
    table_entry_t **channels = table_sorted(&streams->channels, &count);
    begin_list(self, LIST_CHANNELS);
    json_open_object(json);
    for (size_t i = 0; i < count; i++) {
        channel_view_t view;
        channel_view((channel_t *)channels[i], &view);
        if (!view.connected || !has_space(self, LIST_CHANNELS))
            continue;
        json_key(json, channels[i]->name);
        json_open_object(json);
        json_key(json, "endpoint");
        if (view.endpoint[0])
            json_string(json, view.endpoint);
        else
            json_null(json);
        if (!self->dialect->is_legacy) {
            json_key(json, "event_endpoint");
            if (view.event_endpoint[0])
                json_string(json, view.event_endpoint);
            else
                json_null(json);
            key_time(json, "last_heartbeat", view.last_heartbeat_ns);
            key_count(json, "heartbeat_count", view.heartbeat_count);
            key_count(json, "missed_heartbeat_count", view.missed_heartbeat_count);
        }
        json_close_object(json);
    }
    json_close_object(json);
    free(channels);
}

/* The subscriptions that Tango could not make yet, with the built-in command's keys. */
static void write_not_connected(answer_t *self, subscriptions_t *subscriptions)
{
    json_writer_t *json = self->json;
    begin_list(self, LIST_NOT_CONNECTED);
    if (!atomic_load_explicit(&subscriptions->watched, memory_order_acquire) ||
        atomic_load_explicit(&subscriptions->older, memory_order_acquire)) {
        json_null(json);
        return;
    }
    size_t count;
    not_connected_t *list = subscriptions_list_not_connected(subscriptions, &count);
    json_open_list(json);
    for (size_t i = 0; i < count; i++) {
        if (!has_space(self, LIST_NOT_CONNECTED))
            continue;
        json_open_object(json);
        json_key(json, "device");
        json_string(json, list[i].target.device);
        json_key(json, "attribute");
        json_string(json, list[i].target.attribute);
        json_key(json, "event_type");
        json_string(json, list[i].target.event_type);
        key_time(json, "last_heartbeat", list[i].last_try_ns);
        key_null(json, "tango_host");
        json_close_object(json);
    }
    json_close_list(json);
    free(list);
}

static void key_topic(json_writer_t *json, const char *key, const topic_t *topic)
{
    json_key(json, key);
    if (topic)
        json_string(json, topic->entry.name);
    else
        json_null(json);
}

/* What the consumer thread is doing now. Its times are from a clock without a date. */
static void write_consumer_thread(json_writer_t *json, const consumer_view_t *view, int64_t now_ns)
{
    static const char *const states[] = {
        [CONSUMER_POLLING] = "polling",
        [CONSUMER_CALLBACKS] = "callbacks",
        [CONSUMER_CONTROL] = "order",
    };
    int64_t to_date_ns = clock_realtime_ns() - now_ns;
    json_key(json, "consumer_thread");
    json_open_object(json);
    json_key(json, "thread_id");
    json_integer(json, view->thread_id);
    json_key(json, "state");
    json_string(json, states[view->state]);
    key_topic(json, "topic", view->topic);
    key_time(json, "since", view->since_ns + to_date_ns);
    json_key(json, "state_micros");
    json_integer(json, (now_ns - view->since_ns) / 1000);
    json_key(json, "longest_callback_micros");
    if (view->longest_topic)
        json_integer(json, view->longest_ns / 1000);
    else
        json_null(json);
    key_topic(json, "longest_callback_topic", view->longest_topic);
    key_time(json, "delayed_since",
             view->delayed ? view->delayed_since_ns + to_date_ns : CLOCK_NEVER);
    json_key(json, "delayed_micros");
    if (view->delayed)
        json_integer(json, (now_ns - view->delayed_since_ns) / 1000);
    else
        json_null(json);
    json_close_object(json);
}

static void write_client(answer_t *self, counts_t *counts, samples_reader_t *reader,
                         int64_t attached_ns)
{
    json_writer_t *json = self->json;
    bool is_legacy = self->dialect->is_legacy;
    streams_t *streams = &counts->streams;
    int64_t now_ns = clock_monotonic_coarse_ns();
    consumer_view_t consumer;
    if (!consumer_view(&streams->consumer, &consumer, now_ns)) {
        if (!is_legacy)
            key_null(json, "client");
        return;
    }
    json_key(json, "client");
    json_open_object(json);
    write_topics(self, counts, attached_ns);
    if (!is_legacy)
        write_not_connected(self, &counts->subscriptions);
    write_channels(self, streams);
    write_receive_samples(json, self->dialect, &counts->samples, reader);
    if (!is_legacy)
        write_consumer_thread(json, &consumer, now_ns);
    json_close_object(json);
}

/* How many entries of each list were omitted; null if none was. */
static void key_truncated(answer_t *self)
{
    uint64_t all = 0;
    for (size_t i = 0; i < LISTS; i++)
        all += self->left_out[i];
    if (all == 0) {
        key_null(self->json, "truncated");
        return;
    }
    json_key(self->json, "truncated");
    json_open_object(self->json);
    for (size_t i = 0; i < LISTS; i++)
        if (self->left_out[i] > 0)
            key_count(self->json, list_limits[i].key, self->left_out[i]);
    json_close_object(self->json);
}

/* What can't be watched in this process; null if everything can. */
static void key_unwatched(json_writer_t *json, counts_t *counts)
{
    static const char other[] = "the server of a second libtango";
    const char *unwatched = atomic_load(&counts->unwatched);
    const bool both = unwatched && atomic_load(&counts->other_libtango);
    char text[512];
    if (!unwatched && atomic_load(&counts->other_libtango))
        unwatched = other;
    if (!unwatched) {
        key_null(json, "unwatched");
        return;
    }
    snprintf(text, sizeof text, "%s%s%s", unwatched, both ? ", " : "", both ? other : "");
    json_key(json, "unwatched");
    json_string(json, text);
}

const char *answer_loaded(const answer_origin_t *origin)
{
    return origin->is_late ? "late" : "at start";
}

static void write_agent(answer_t *self, counts_t *counts, const answer_origin_t *origin)
{
    streams_t *streams = &counts->streams;
    json_writer_t *json = self->json;
    json_key(json, "agent");
    json_open_object(json);
    json_key(json, "version");
    json_string(json, STEM_VERSION);
    json_key(json, "tango_version");
    if (origin->tango_version[0])
        json_string(json, origin->tango_version);
    else
        json_null(json);
    json_key(json, "pid");
    json_integer(json, getpid());
    json_key(json, "loaded");
    json_string(json, answer_loaded(origin));
    key_time(json, "attached", origin->attached_ns);
    key_time(json, "process_started", origin->process_ns);
    key_time(json, "time", clock_realtime_ns());
    /* How often something was not counted because a table was full. */
    key_count(json, "uncounted",
              atomic_load(&streams->published.streams.refused) +
                  atomic_load(&streams->topics.refused) + atomic_load(&streams->channels.refused));
    key_count(json, "unknown_topic_event_count", atomic_load(&streams->unknown_topic_count));
    key_truncated(self);
    key_unwatched(json, counts);
    json_close_object(json);
}

char *answer_query(counts_t *counts, samples_reader_t *reader, answer_schema_t schema,
                   const answer_origin_t *origin)
{
    const dialect_t *dialect = &dialects[schema];
    json_writer_t json;
    answer_t answer = {.json = &json, .dialect = dialect};
    json_init(&json);
    json_open_object(&json);
    if (!dialect->is_legacy) {
        json_key(&json, "version");
        json_integer(&json, 1);
    }
    write_server(&answer, &counts->streams, &counts->samples, reader);
    write_client(&answer, counts, reader, origin->attached_ns);
    if (!dialect->is_legacy)
        write_agent(&answer, counts, origin);
    json_close_object(&json);
    return json_take(&json);
}
