#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/timespec.h"
#include "base/vector.h"
#include "monitor/model/continuity.h"
#include "monitor/view/agent_since.h"
#include "monitor/view/live/frames/frame_findings.h"
#include "monitor/view/live/frames/frame_making.h"
#include "response/names.h"

/* A generation of names may have so many bytes, and twice what is used of it beyond that. */
enum { NAMES_SPARE = 65536, TEXT_CHUNK = 16384 };

struct frame_maker {
    frame_names_t *names;
    size_t number; /* of the next frame */
    size_t made;   /* frames so far: the last one's mark */
    /* Lists that become a frame's once they are sorted: memory that is used again and again. */
    vector_t streams;
    vector_t subscriptions;
};

frame_maker_t *frame_maker_new(void)
{
    frame_maker_t *self = memory_new(1, sizeof *self);
    self->names = frame_names_new();
    self->streams.item_size = sizeof(frame_stream_t);
    self->subscriptions.item_size = sizeof(frame_subscription_t);
    return self;
}

void frame_maker_destroy(frame_maker_t **self)
{
    if (!*self)
        return;
    frame_names_release(&(*self)->names);
    free((*self)->streams.items);
    free((*self)->subscriptions.items);
    free(*self);
    *self = NULL;
}

void frame_skip(frame_maker_t *self)
{
    self->number++;
}

/* ---- texts ---- */

static frame_name_t *name_of(making_t *self, const char *text)
{
    return frame_names_find(self->frame->names, text, self->mark);
}

const char *making_name(making_t *self, const char *text)
{
    return text ? name_of(self, text)->text : NULL;
}

const void *making_copy(making_t *self, const void *data, size_t size)
{
    return arena_copy(self->frame->texts, data, size);
}

static const char *copy_text(making_t *self, const char *text)
{
    return text ? making_copy(self, text, strlen(text)) : NULL;
}

/* ---- answers ---- */

/* A server's newest answer, and what it is compared with. */
typedef struct {
    size_t server;
    const response_t *response; /* NULL: there never was one */
    const response_t *before;   /* what it omits is there; NULL: it omits nothing */
    const server_part_t *part;
    const server_losses_t *losses;
    bool is_current; /* it is of this poll */
} answer_t;

static answer_t answer_of(const making_t *self, size_t server)
{
    const observation_t *observation = self->observation;
    const reply_t *reply = &observation->snapshot->replies[server];
    answer_t answer = {.server = server, .part = &observation->comparison->parts[server]};
    const reply_t *before = observation->previous && reply->server
                                ? snapshot_find(observation->previous, reply->server, server)
                                : NULL;
    answer.losses = losses_of_server(observation->losses, reply->server, server);
    answer.is_current = reply->response && !reply->error;
    answer.response = answer.is_current ? reply->response : before ? before->response : NULL;
    const changes_t *changes = answer.part->changes;
    if (answer.is_current && before && changes && !changes->counters_restarted)
        answer.before = before->response;
    return answer;
}

/* The entries of a list of an answer, and those of the answer before that it omits. All begin with
 * their name, and are sorted by it. */
typedef struct {
    const char *now, *now_end;
    const char *before, *before_end;
    size_t size;
    int64_t left_out;
} entries_t;

static entries_t entries_of(const void *now, size_t now_count, const void *before,
                            size_t before_count, size_t size, int64_t truncated)
{
    const int64_t left_out = continuity_left_out(truncated, now_count);
    const bool goes_on = before && left_out > 0;
    return (entries_t){.now = now,
                       .now_end = now ? (const char *)now + now_count * size : NULL,
                       .before = goes_on ? before : NULL,
                       .before_end = goes_on ? (const char *)before + before_count * size : NULL,
                       .size = size,
                       .left_out = left_out};
}

static const char *name_at(const char *entry)
{
    return *(char *const *)(const void *)entry;
}

static const void *take(const char **at, size_t size)
{
    const char *entry = *at;
    *at += size;
    return entry;
}

/* The next entry, by name; NULL: there is none. */
static const void *entries_next(entries_t *self, bool *is_current)
{
    for (;;) {
        const bool has_now = self->now < self->now_end;
        const bool has_before = self->before < self->before_end && self->left_out > 0;
        *is_current = true;
        if (!has_before)
            return has_now ? take(&self->now, self->size) : NULL;
        const int order = has_now ? strcmp(name_at(self->before), name_at(self->now)) : -1;
        if (order > 0)
            return take(&self->now, self->size);
        const void *entry = take(&self->before, self->size);
        if (order == 0)
            continue; /* the answer has it */
        *is_current = false;
        self->left_out--;
        return entry;
    }
}

/* What a counter grew by while its entry didn't change. */
static void set_unchanged_steps(const counters_t *counters, void *steps, const void *counts)
{
    for (size_t i = 0; i < counters->count; i++) {
        const counter_t *counter = &counters->list[i];
        const bool known = counter_of(counter, counts) != RESPONSE_UNKNOWN &&
                           (counter->kind == COUNTER_GROWS || counter->kind == COUNTER_WRAPS) &&
                           !counter->is_no_news;
        *counter_in(counter, steps) = known ? 0 : RESPONSE_UNKNOWN;
    }
}

static double unchanged_rate(const answer_t *answer, int64_t count)
{
    return answer->part->seconds > 0 && count != RESPONSE_UNKNOWN ? 0 : NAN;
}

/* The sum of what is known. */
static void add_known(double *sum, double value)
{
    if (!isnan(value))
        *sum = isnan(*sum) ? value : *sum + value;
}

static void add_known_count(int64_t *sum, int64_t count)
{
    if (count != RESPONSE_UNKNOWN)
        *sum = *sum == RESPONSE_UNKNOWN ? count : changes_sum(*sum, count);
}

/* The larger one of what is known. */
static void raise_to(double *value, double other)
{
    if (!isnan(other) && (isnan(*value) || other > *value))
        *value = other;
}

static frame_duration_t duration_of(making_t *self, const response_histogram_t *histogram,
                                    const duration_t *interval)
{
    frame_duration_t duration = {.interval = interval ? *interval : durations_between(NULL, NULL)};
    if (histogram && histogram->bucket_count > 0) {
        duration.bucket_count = histogram->bucket_count;
        duration.buckets = making_copy(self, histogram->buckets,
                                       histogram->bucket_count * sizeof *histogram->buckets);
    }
    return duration;
}

/* ---- streams ---- */

static frame_stream_t *streams_of(const making_t *self)
{
    return self->streams.items;
}

/* The stream's place in the list so far; a new one if it isn't there yet. */
static size_t place_of_stream(making_t *self, frame_name_t *name)
{
    if (making_has_stream(self, name))
        return name->place;
    name->place = self->streams.count;
    *(frame_stream_t *)vector_add(&self->streams) =
        (frame_stream_t){.id = name->id,
                         .name = name->text,
                         .short_name = names_without_prefix(name->text),
                         .publisher = FRAME_NONE,
                         .pushed = {RESPONSE_UNKNOWN, RESPONSE_UNKNOWN},
                         .pushed_steps = {RESPONSE_UNKNOWN, RESPONSE_UNKNOWN},
                         .push_rate = NAN,
                         .push_event = {.interval = durations_between(NULL, NULL)},
                         .received = RESPONSE_UNKNOWN,
                         .receive_rate = NAN,
                         .lost = RESPONSE_UNKNOWN,
                         .not_received = RESPONSE_UNKNOWN,
                         .latency_seconds = NAN,
                         .processing_seconds = NAN};
    return name->place;
}

bool making_has_stream(const making_t *self, const frame_name_t *name)
{
    return name->place < self->streams.count && streams_of(self)[name->place].name == name->text;
}

/* A stream that nobody has any more stays for one frame. */
static void note_gone(making_t *self, frame_name_t *name)
{
    *(frame_name_t **)vector_add(&self->gone) = name;
}

static void add_gone(making_t *self)
{
    frame_name_t *const *gone = self->gone.items;
    for (size_t i = 0; i < self->gone.count; i++) {
        if (making_has_stream(self, gone[i]))
            continue;
        const size_t place = place_of_stream(self, gone[i]);
        streams_of(self)[place].is_gone = true;
    }
}

/* ---- publishers ---- */

/* It isn't known whose events are received: numbers would be of one of them. */
static void make_shared(frame_stream_t *stream, double rate)
{
    stream->publisher = FRAME_NONE;
    stream->publisher_name = NULL;
    counters_clear(&counters_of_publisher, &stream->pushed);
    counters_clear(&counters_of_publisher, &stream->pushed_steps);
    add_known(&stream->push_rate, rate);
}

/* row: what changed; NULL: nothing, or it isn't of this poll. */
static void add_publisher(making_t *self, const answer_t *answer, const published_row_t *row,
                          const response_publisher_t *entry, bool is_current)
{
    frame_server_t *server = &self->servers[answer->server];
    const size_t place = place_of_stream(self, name_of(self, entry->name));
    frame_stream_t *stream = &streams_of(self)[place];
    publisher_counts_t counts = entry->counts;
    counts.pushed_event_count = response_pushed_count(answer->response, entry);
    double rate = NAN;
    if (row)
        rate = row->rate;
    else if (is_current)
        rate = unchanged_rate(answer, counts.pushed_event_count);
    server->published++;
    add_known(&server->push_rate, rate);
    if (stream->is_published) {
        make_shared(stream, rate);
        return;
    }
    stream->is_published = true;
    stream->publisher = answer->server;
    stream->publisher_name = server->name;
    stream->pushed = counts;
    stream->push_rate = rate;
    if (row)
        stream->pushed_steps = row->steps;
    else if (is_current)
        set_unchanged_steps(&counters_of_publisher, &stream->pushed_steps, &counts);
    stream->has_subscribers = entry->has_subscribers;
    stream->last_event = copy_text(self, entry->last_event);
    stream->push_event = duration_of(self, entry->push_event, row ? &row->push_event : NULL);
}

static void add_publishers(making_t *self, const answer_t *answer)
{
    const response_t *now = answer->response;
    const response_t *before = answer->before;
    const response_truncated_t *truncated = &now->truncated;
    const published_row_t *row = answer->part->published;
    const published_row_t *end = row ? row + answer->part->published_count : NULL;
    entries_t entries = entries_of(
        now->publishers, now->publisher_count, before ? before->publishers : NULL,
        before ? before->publisher_count : 0, sizeof *now->publishers,
        truncated->event_streams > truncated->event_counters ? truncated->event_streams
                                                             : truncated->event_counters);
    bool is_current = true;
    const response_publisher_t *entry = NULL;
    while ((entry = entries_next(&entries, &is_current))) {
        is_current &= answer->is_current;
        for (; row < end && strcmp(row->name, entry->name) < 0; row++)
            note_gone(self, name_of(self, row->name));
        const bool has_row = row < end && strcmp(row->name, entry->name) == 0;
        add_publisher(self, answer, has_row ? row++ : NULL, entry, is_current);
    }
    for (; row < end; row++)
        note_gone(self, name_of(self, row->name));
}

/* ---- subscriptions ---- */

static void set_losses(frame_subscription_t *subscription, const loss_t *loss)
{
    subscription->lost = loss->lost;
    subscription->lost_is_minimum = loss->is_minimum;
    subscription->not_received = loss->not_received;
}

static void add_subscription(making_t *self, const answer_t *answer, const subscription_row_t *row,
                             const response_subscription_t *entry, bool is_current)
{
    frame_server_t *server = &self->servers[answer->server];
    frame_name_t *topic = name_of(self, entry->topic);
    frame_subscription_t *subscription = vector_add(&self->subscriptions);
    *subscription = (frame_subscription_t){
        .server = answer->server,
        .stream =
            place_of_stream(self, frame_names_stream_of(self->frame->names, topic, self->mark)),
        .topic = topic->text,
        .channel = making_name(self, entry->channel_name),
        .counts = entry->counts,
        .rate = NAN,
        .lost = entry->counts.lost_event_count,
        .lost_is_minimum = entry->lost_is_minimum,
        .not_received = RESPONSE_UNKNOWN,
        .last_event = copy_text(self, entry->last_event),
        .last_resubscribed = making_name(self, entry->last_resubscribed),
        .latency = duration_of(self, entry->latency, row ? &row->latency : NULL),
        .processing = duration_of(self, entry->processing, row ? &row->processing : NULL),
    };
    counters_clear(&counters_of_subscription, &subscription->steps);
    const loss_t *loss = row ? &row->loss : losses_find(answer->losses, entry->topic);
    if (loss)
        set_losses(subscription, loss);
    if (row) {
        subscription->steps = row->steps;
        subscription->rate = row->rate;
        subscription->new_losses = row->new_losses;
        subscription->restarted = row->restarted;
    } else if (is_current) {
        set_unchanged_steps(&counters_of_subscription, &subscription->steps, &entry->counts);
        subscription->rate = unchanged_rate(answer, entry->counts.event_count);
    }
    server->subscribed++;
    add_known(&server->receive_rate, subscription->rate);
    server->new_losses = changes_sum(server->new_losses, subscription->new_losses);
}

static frame_name_t *stream_of_topic(making_t *self, const char *topic)
{
    return frame_names_stream_of(self->frame->names, name_of(self, topic), self->mark);
}

static void add_subscriptions(making_t *self, const answer_t *answer)
{
    const response_t *now = answer->response;
    const response_t *before = answer->before;
    const subscription_row_t *row = answer->part->subscriptions;
    const subscription_row_t *end = row ? row + answer->part->subscription_count : NULL;
    entries_t entries =
        entries_of(now->subscriptions, now->subscription_count,
                   before ? before->subscriptions : NULL, before ? before->subscription_count : 0,
                   sizeof *now->subscriptions, now->truncated.event_callbacks);
    bool is_current = true;
    const response_subscription_t *entry = NULL;
    while ((entry = entries_next(&entries, &is_current))) {
        is_current &= answer->is_current;
        for (; row < end && strcmp(row->topic, entry->topic) < 0; row++)
            note_gone(self, stream_of_topic(self, row->topic));
        const bool has_row = row < end && strcmp(row->topic, entry->topic) == 0;
        add_subscription(self, answer, has_row ? row++ : NULL, entry, is_current);
    }
    for (; row < end; row++)
        note_gone(self, stream_of_topic(self, row->topic));
}

/* ---- connections ---- */

static void add_channels(making_t *self, const answer_t *answer)
{
    frame_server_t *server = &self->servers[answer->server];
    const response_t *now = answer->response;
    const response_t *before = answer->before;
    entries_t entries = entries_of(
        now->channels, now->channel_count, before ? before->channels : NULL,
        before ? before->channel_count : 0, sizeof *now->channels, now->truncated.event_channels);
    bool is_current = true;
    const response_channel_t *entry = NULL;
    server->first_channel = self->channels.count;
    while ((entry = entries_next(&entries, &is_current)))
        *(frame_channel_t *)vector_add(&self->channels) = (frame_channel_t){
            .server = answer->server,
            .name = making_name(self, entry->name),
            .endpoint = making_name(self, entry->endpoint),
            .event_endpoint = making_name(self, entry->event_endpoint),
            .counts = entry->counts,
            .silent_seconds = is_current ? response_seconds_without_heartbeat(now, entry) : NAN,
        };
    server->channel_count = self->channels.count - server->first_channel;
}

/* first: of the server's subscriptions, which are the last ones so far. */
static void count_on_channels(making_t *self, const frame_server_t *server, size_t first)
{
    frame_channel_t *channels = self->channels.items;
    const frame_subscription_t *subscriptions = self->subscriptions.items;
    for (size_t i = first; i < self->subscriptions.count; i++) {
        const char *name = subscriptions[i].channel;
        size_t low = server->first_channel;
        size_t high = low + server->channel_count;
        while (name && low < high) {
            const size_t middle = low + (high - low) / 2;
            const int order = strcmp(channels[middle].name, name);
            channels[middle].subscriptions += order == 0;
            if (order == 0)
                break;
            if (order < 0)
                low = middle + 1;
            else
                high = middle;
        }
    }
}

static void add_not_connected(making_t *self, const answer_t *answer)
{
    frame_server_t *server = &self->servers[answer->server];
    const response_t *response = answer->response;
    server->first_not_connected = self->not_connected.count;
    server->not_connected_count = response->not_connected_count;
    for (size_t i = 0; i < response->not_connected_count; i++) {
        const response_not_connected_t *entry = &response->not_connected[i];
        *(frame_not_connected_t *)vector_add(&self->not_connected) = (frame_not_connected_t){
            .server = answer->server,
            .device = making_name(self, entry->device),
            .attribute = making_name(self, entry->attribute),
            .event_type = making_name(self, entry->event_type),
            .last_heartbeat = copy_text(self, entry->last_heartbeat),
        };
    }
}

/* ---- servers ---- */

static double seconds_of(double micros)
{
    return micros / 1e6;
}

static void set_answer(making_t *self, frame_server_t *server, const response_t *response)
{
    const response_consumer_t *consumer = &response->consumer;
    server->has_answer = true;
    server->source = response_dialect_name(response->dialect);
    server->agent_version = making_name(self, response->agent_version);
    server->tango_version = making_name(self, response->tango_version);
    char *late_since = agent_since_text(response);
    server->late_since = making_name(self, late_since);
    free(late_since);
    server->pid = response->agent_pid;
    server->perf_on = response->push_perf_on || response->receive_perf_on;
    server->consumer_state = making_name(self, consumer->state);
    server->consumer_topic = making_name(self, consumer->topic);
    server->consumer_seconds = seconds_of(consumer->state_micros);
    server->longest_callback_seconds = seconds_of(consumer->longest_callback_micros);
    server->longest_callback_topic = making_name(self, consumer->longest_callback_topic);
    server->delayed_seconds = seconds_of(consumer->delayed_micros);
}

static void add_server(making_t *self, size_t place)
{
    const reply_t *reply = &self->observation->snapshot->replies[place];
    const answer_t answer = answer_of(self, place);
    const changes_t *changes = answer.part->changes;
    frame_name_t *name = name_of(self, reply->server ? reply->server : "?");
    self->servers[place] = (frame_server_t){.id = name->id,
                                            .name = name->text,
                                            .error = making_name(self, reply->error),
                                            .pid = RESPONSE_UNKNOWN,
                                            .restarted = changes && changes->server_restarted,
                                            .push_rate = NAN,
                                            .receive_rate = NAN,
                                            .lost = RESPONSE_UNKNOWN,
                                            .first_channel = self->channels.count,
                                            .first_not_connected = self->not_connected.count,
                                            .consumer_seconds = NAN,
                                            .longest_callback_seconds = NAN,
                                            .delayed_seconds = NAN};
    if (!answer.response)
        return;
    const size_t first = self->subscriptions.count;
    set_answer(self, &self->servers[place], answer.response);
    add_publishers(self, &answer);
    add_subscriptions(self, &answer);
    add_channels(self, &answer);
    count_on_channels(self, &self->servers[place], first);
    add_not_connected(self, &answer);
}

/* ---- a stream and its subscriptions ---- */

static int compare_ids(const void *a, const void *b)
{
    const frame_stream_t *left = *(const frame_stream_t *const *)a;
    const frame_stream_t *right = *(const frame_stream_t *const *)b;
    if (left->id != right->id)
        return left->id < right->id ? -1 : 1;
    return strcmp(left->name, right->name);
}

/* A list of that many, which fits exactly. */
static vector_t list_of(size_t count, size_t item_size)
{
    return (vector_t){.items = memory_new(count, item_size),
                      .count = count,
                      .capacity = count,
                      .item_size = item_size};
}

/* Sorts streams by id. places: where each of them is now. */
static vector_t sort_streams(const vector_t *list, size_t *places)
{
    const frame_stream_t *unsorted = list->items;
    const frame_stream_t **order = memory_new(list->count, sizeof *order);
    for (size_t i = 0; i < list->count; i++)
        order[i] = &unsorted[i];
    if (list->count > 1)
        qsort(order, list->count, sizeof *order, compare_ids);
    vector_t result = list_of(list->count, sizeof *unsorted);
    frame_stream_t *sorted = result.items;
    for (size_t i = 0; i < list->count; i++) {
        sorted[i] = *order[i];
        places[order[i] - unsorted] = i;
    }
    free(order);
    return result;
}

/* Puts the subscriptions of each stream together, in the order of the servers. */
static vector_t sort_subscriptions(const vector_t *list, frame_stream_t *streams,
                                   size_t stream_count, const size_t *places)
{
    const frame_subscription_t *unsorted = list->items;
    vector_t result = list_of(list->count, sizeof *unsorted);
    frame_subscription_t *sorted = result.items;
    for (size_t i = 0; i < list->count; i++)
        streams[places[unsorted[i].stream]].subscription_count++;
    size_t first = 0;
    for (size_t i = 0; i < stream_count; i++) {
        streams[i].first_subscription = first;
        first += streams[i].subscription_count;
        streams[i].subscription_count = 0;
    }
    for (size_t i = 0; i < list->count; i++) {
        const size_t place = places[unsorted[i].stream];
        frame_stream_t *stream = &streams[place];
        frame_subscription_t *to =
            &sorted[stream->first_subscription + stream->subscription_count++];
        *to = unsorted[i];
        to->stream = place;
    }
    return result;
}

static bool is_later(const char *text, const char *than)
{
    struct timespec time;
    struct timespec other;
    if (!than)
        return text != NULL;
    return text && timespec_parse(text, &time) && timespec_parse(than, &other) &&
           timespec_seconds_between(&other, &time) > 0;
}

static void add_up(frame_stream_t *stream, const frame_subscription_t *subscription)
{
    const double to_seconds = 1e-6;
    add_known_count(&stream->received, subscription->counts.event_count);
    add_known(&stream->receive_rate, subscription->rate);
    add_known_count(&stream->lost, subscription->lost);
    add_known_count(&stream->not_received, subscription->not_received);
    stream->new_losses = changes_sum(stream->new_losses, subscription->new_losses);
    if (subscription->latency.interval.count > 0)
        raise_to(&stream->latency_seconds,
                 subscription->latency.interval.percentile_99_micros * to_seconds);
    if (subscription->processing.interval.count > 0)
        raise_to(&stream->processing_seconds,
                 subscription->processing.interval.percentile_99_micros * to_seconds);
    if (!stream->publisher_name && !stream->is_published)
        stream->publisher_name = subscription->channel;
    if (!stream->is_published && is_later(subscription->last_event, stream->last_event))
        stream->last_event = subscription->last_event;
}

/* Replaces the lists by sorted ones; the unsorted ones go back to their owner. */
static void match(making_t *self, frame_maker_t *maker)
{
    size_t *places = memory_new(self->streams.count, sizeof *places);
    maker->streams = self->streams;
    maker->subscriptions = self->subscriptions;
    self->streams = sort_streams(&maker->streams, places);
    self->subscriptions =
        sort_subscriptions(&maker->subscriptions, streams_of(self), self->streams.count, places);
    maker->streams.count = maker->subscriptions.count = 0;
    free(places);
    const frame_subscription_t *subscriptions = self->subscriptions.items;
    for (size_t i = 0; i < self->subscriptions.count; i++)
        add_up(&streams_of(self)[subscriptions[i].stream], &subscriptions[i]);
}

/* ---- the sums ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const frame_server_t *const *)a)->name,
                  (*(const frame_server_t *const *)b)->name);
}

static void sort_servers(making_t *self)
{
    const size_t count = self->observation->snapshot->reply_count;
    self->servers_by_name = memory_new(count, sizeof *self->servers_by_name);
    for (size_t i = 0; i < count; i++)
        self->servers_by_name[i] = &self->servers[i];
    if (count > 1)
        qsort(self->servers_by_name, count, sizeof *self->servers_by_name, compare_names);
}

size_t making_find_server(const making_t *self, const char *name)
{
    const size_t count = self->observation->snapshot->reply_count;
    if (!name || count == 0)
        return FRAME_NONE;
    const frame_server_t key = {.name = name};
    const frame_server_t *pointer = &key;
    frame_server_t **found =
        bsearch(&pointer, self->servers_by_name, count, sizeof *found, compare_names);
    return found ? (size_t)(*found - self->servers) : FRAME_NONE;
}

/* What each server's subscriptions have lost so far. */
static void add_totals(making_t *self)
{
    size_t count = 0;
    const total_t *const *rows = totals_rows(self->observation->totals, &count);
    const char *last = NULL;
    size_t server = FRAME_NONE;
    for (size_t i = 0; i < count; i++) {
        if (rows[i]->kind != TOTAL_SUBSCRIBED || !rows[i]->knows_lost)
            continue;
        if (!last || strcmp(last, rows[i]->server) != 0)
            server = making_find_server(self, rows[i]->server);
        last = rows[i]->server;
        if (server != FRAME_NONE)
            add_known_count(&self->servers[server].lost, rows[i]->received.lost_event_count);
    }
}

static double seconds_taken(const snapshot_t *snapshot)
{
    double last = NAN;
    for (size_t i = 0; snapshot->asked > 0 && i < snapshot->reply_count; i++)
        if (snapshot->replies[i].answered >= snapshot->asked)
            raise_to(&last, snapshot->replies[i].answered);
    return last - snapshot->asked;
}

static void sum_up(making_t *self)
{
    const observation_t *observation = self->observation;
    const snapshot_t *snapshot = observation->snapshot;
    frame_t *frame = &self->frame->frame;
    const totals_sums_t sums = totals_sum_up(observation->totals);
    const totals_rest_t *rest = totals_rest_of(observation->totals, TOTAL_PUBLISHED);
    frame->time = snapshot->time;
    frame->took_seconds = seconds_taken(snapshot);
    frame->is_recorded = snapshot->is_recorded;
    frame->failed = observation->comparison->failed;
    frame->push_rate = frame->receive_rate = NAN;
    frame->pushed =
        changes_sum(sums.sum.pushed.pushed_event_count, rest->sum.pushed.pushed_event_count);
    frame->received = sums.sum.received.event_count;
    frame->lost = sums.sum.knows_lost ? sums.sum.received.lost_event_count : RESPONSE_UNKNOWN;
    for (size_t i = 0; i < snapshot->reply_count; i++) {
        const frame_server_t *server = &self->servers[i];
        add_known(&frame->push_rate, server->push_rate);
        add_known(&frame->receive_rate, server->receive_rate);
        frame->new_losses = changes_sum(frame->new_losses, server->new_losses);
    }
}

/* ---- frames ---- */

/* Lists that were counted and allocated as vectors become the frame's. */
static const void *hand_over(making_t *self, vector_t *list, size_t *count)
{
    void *items = vector_take(list, count);
    self->frame->frame.bytes += *count * list->item_size;
    return items;
}

static void hand_over_lists(making_t *self)
{
    frame_t *frame = &self->frame->frame;
    frame->servers = self->servers;
    frame->server_count = self->observation->snapshot->reply_count;
    frame->bytes += frame->server_count * sizeof *self->servers;
    frame->streams = hand_over(self, &self->streams, &frame->stream_count);
    frame->subscriptions = hand_over(self, &self->subscriptions, &frame->subscription_count);
    frame->channels = hand_over(self, &self->channels, &frame->channel_count);
    frame->not_connected = hand_over(self, &self->not_connected, &frame->not_connected_count);
    frame->findings = hand_over(self, &self->findings, &frame->finding_count);
}

/* Begins a new generation of names when most of the present one was of no use to the last frame. */
static size_t begin_names(frame_maker_t *self)
{
    const size_t bytes = frame_names_bytes(self->names);
    if (bytes <= NAMES_SPARE + 2 * frame_names_used(self->names, self->made))
        return bytes;
    frame_names_seal(self->names);
    frame_names_release(&self->names);
    self->names = frame_names_new();
    return 0;
}

/* By all makers. */
static atomic_uint_fast64_t frames_made;

const frame_t *frame_make(frame_maker_t *self, const observation_t *observation)
{
    const size_t bytes_of_names = begin_names(self);
    frame_private_t *frame = memory_new(1, sizeof *frame);
    making_t making = {
        .observation = observation,
        .frame = frame,
        .mark = ++self->made,
        .servers = memory_new(observation->snapshot->reply_count, sizeof *making.servers),
        .streams = self->streams,
        .gone = {.item_size = sizeof(frame_name_t *)},
        .subscriptions = self->subscriptions,
        .channels = {.item_size = sizeof(frame_channel_t)},
        .not_connected = {.item_size = sizeof(frame_not_connected_t)},
        .findings = {.item_size = sizeof(frame_finding_t)},
    };
    atomic_init(&frame->references, 1);
    frame->names = frame_names_share(self->names);
    frame->texts = arena_new(TEXT_CHUNK);
    frame->frame.number = self->number++;
    frame->frame.serial = atomic_fetch_add_explicit(&frames_made, 1, memory_order_relaxed) + 1;
    for (size_t i = 0; i < observation->snapshot->reply_count; i++)
        add_server(&making, i);
    add_gone(&making);
    match(&making, self);
    sort_servers(&making);
    add_totals(&making);
    frame_findings_add(&making);
    sum_up(&making);
    hand_over_lists(&making);
    free(making.servers_by_name);
    free(making.gone.items);
    frame->frame.bytes +=
        sizeof *frame + arena_bytes(frame->texts) + frame_names_bytes(self->names) - bytes_of_names;
    return &frame->frame;
}
