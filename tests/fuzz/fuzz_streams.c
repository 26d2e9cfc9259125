/*
 * What is counted and answered: the input is a sequence of operations on the agent's tables, with
 * messages and control commands as they come from ZeroMQ. What each one may change is checked after
 * it, and the answer in both formats against the tables.
 *
 * The first byte of an operation says which one it is; see operations[]. capture.py writes the
 * seeds, so it knows the first three.
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/answer/answer.h"
#include "agent/counts/streams.h"
#include "agent/counts/subscriptions.h"
#include "agent/platform/clocks.h"
#include "agent/tango/topic_name.h"
#include "fuzz.h"
#include "response/response.h"

/* Small tables, which fill up quickly; and a maximum of answers per input, since they are slow. */
enum { LIMIT = 5, CHANNEL_LIMIT = 2, IDS = 16, ANSWERS = 6 };

/* Times that a real clock may show: positive, and so small that a sum of two doesn't overflow. */
static const int64_t last_time_ns = INT64_C(1) << 61;

static counts_t counts = {.subscriptions = SUBSCRIPTIONS_INITIALIZER};
static samples_reader_t readers[2];
static const answer_origin_t origin = {.tango_version = "9.3.4",
                                       .attached_ns = INT64_C(1700000000000000000),
                                       .process_ns = INT64_C(1699999900000000000)};

static int64_t now_ns;
static bool compares_zeros;          /* the rule of the Tango that receives: see topic_event_t */
static channel_t *operation_channel; /* see streams_announce */
static push_call_t call;
static int answers_left;

/* What is known of a topic besides its view. */
typedef struct {
    bool connected_anew;
    bool discarded_before;
    uint64_t timed; /* events that were passed to topic_event_took */
    uint64_t with_latency;
} topic_model_t;

static topic_model_t models[LIMIT];

/* Which ids have a callback, and which wait; 0: none. */
static struct {
    bool known;
    bool connected;
} ids[IDS];

/* ---- all that the tables show, to be compared ---- */

typedef struct {
    size_t topic_count;
    size_t stream_count;
    size_t channel_count;
    topic_t *topics[LIMIT]; /* in the order in which they came */
    topic_view_t topic_views[LIMIT];
    stream_t *published[LIMIT];
    stream_view_t stream_views[LIMIT];
    uint32_t stream_counters[LIMIT];
    channel_t *channels[LIMIT];
    channel_view_t channel_views[LIMIT];
} state_t;

static size_t list(table_t *table, size_t limit, table_entry_t *entries[LIMIT])
{
    size_t count = atomic_load(&table->count);
    REQUIRE(count <= limit);
    size_t place = count;
    for (table_entry_t *entry = atomic_load(&table->newest); entry; entry = entry->older) {
        REQUIRE(place > 0);
        entries[--place] = entry;
    }
    REQUIRE(place == 0);
    return count;
}

static void observe(state_t *state)
{
    memset(state, 0, sizeof *state);
    state->topic_count = list(&counts.streams.topics, LIMIT, (table_entry_t **)state->topics);
    for (size_t i = 0; i < state->topic_count; i++)
        topic_view(state->topics[i], &state->topic_views[i]);
    state->stream_count =
        list(&counts.streams.published.streams, LIMIT, (table_entry_t **)state->published);
    for (size_t i = 0; i < state->stream_count; i++) {
        stream_view(state->published[i], &state->stream_views[i]);
        state->stream_counters[i] = atomic_load(&state->published[i]->counter);
    }
    state->channel_count =
        list(&counts.streams.channels, CHANNEL_LIMIT, (table_entry_t **)state->channels);
    for (size_t i = 0; i < state->channel_count; i++)
        channel_view(state->channels[i], &state->channel_views[i]);
}

static bool same_counts(const topic_view_t *a, const topic_view_t *b)
{
    return memcmp(a->counts, b->counts, sizeof a->counts) == 0 &&
           a->last_event_ns == b->last_event_ns &&
           a->last_error_event_ns == b->last_error_event_ns &&
           a->server_counter == b->server_counter && a->no_server_counter == b->no_server_counter;
}

/* Nothing may have changed but one topic, one stream and one channel. */
static void check_others(const state_t *before, const state_t *after, const void *touched)
{
    static const topic_view_t new_topic;
    static const stream_view_t new_stream;
    REQUIRE(after->topic_count >= before->topic_count);
    REQUIRE(after->stream_count >= before->stream_count);
    REQUIRE(after->channel_count >= before->channel_count);
    for (size_t i = 0; i < after->topic_count; i++) {
        const topic_view_t *view = &after->topic_views[i];
        REQUIRE(i >= before->topic_count || after->topics[i] == before->topics[i]);
        if (after->topics[i] != touched)
            REQUIRE(
                same_counts(view, i < before->topic_count ? &before->topic_views[i] : &new_topic));
        REQUIRE(view->counts[TOPIC_OUTAGE_LOST_COUNT] <= view->counts[TOPIC_LOST_COUNT]);
        REQUIRE(view->counts[TOPIC_RESTART_COUNT] <= view->counts[TOPIC_EVENT_COUNT]);
        REQUIRE(view->counts[TOPIC_MISSED_COUNT] <= view->counts[TOPIC_EVENT_COUNT]);
        /* Where zeros are compared, the very first may be discarded. */
        REQUIRE(view->counts[TOPIC_DISCARDED_COUNT] <= view->counts[TOPIC_EVENT_COUNT] + 1);
        REQUIRE(view->counts[TOPIC_ERROR_COUNT] <= view->counts[TOPIC_EVENT_COUNT]);
        REQUIRE(view->callback_count >= TOPIC_CALLBACKS_UNKNOWN && view->callback_count <= IDS);
        REQUIRE(!view->no_server_counter || view->server_counter == 0);
    }
    for (size_t i = 0; i < after->stream_count; i++) {
        REQUIRE(i >= before->stream_count || after->published[i] == before->published[i]);
        const stream_view_t *view = &after->stream_views[i];
        const stream_view_t *old =
            i < before->stream_count ? &before->stream_views[i] : &new_stream;
        if (after->published[i] != touched)
            REQUIRE(view->pushed_event_count == old->pushed_event_count &&
                    view->byte_count == old->byte_count &&
                    view->last_event_ns == old->last_event_ns);
    }
    for (size_t i = 0; i < before->channel_count; i++) {
        REQUIRE(after->channels[i] == before->channels[i]);
        if (after->channels[i] != touched)
            REQUIRE(after->channel_views[i].heartbeat_count ==
                    before->channel_views[i].heartbeat_count);
    }
}

static size_t place_of_topic(const state_t *state, const topic_t *topic)
{
    for (size_t i = 0; i < state->topic_count; i++)
        if (state->topics[i] == topic)
            return i;
    return LIMIT;
}

static size_t place_of_stream(const state_t *state, const stream_t *stream)
{
    for (size_t i = 0; i < state->stream_count; i++)
        if (state->published[i] == stream)
            return i;
    return LIMIT;
}

/* ---- names ---- */

/* Related names; an input may also bring its own. */
static const char *const names[] = {
    "tango://h:1/a/b/c/attr.idl5_change",
    "tango://h:1/a/b/c/attr.change",
    "tango://H:1/a/b/c/attr.idl5_change",
    "tango://h.long:1/a/b/c/attr.idl5_change",
    "tango://h:1/a/b/c/attr#dbase=no.idl5_change",
    "tango://h:1/a/b/c#dbase=no/attr.idl5_change",
    "tango://h:1/a/b/c/attr#dbase=no.change",
    "tango://h:1/a/b/c.intr_change",
    "tango://h:1/a/b/c/p.pipe",
    "tango://h:1/dserver/pub/1.heartbeat",
    "tango://h:1/dserver/pub/2.heartbeat",
    "tango://h:1/dserver/pub/3.heartbeat",
    "tango://h:1/dserver/pub/1",
};
static const char *const endpoints[] = {
    "tcp://127.0.0.1:1", "tcp://127.0.0.1:2", "tcp://127.0.0.1:99999", "tcp://[::1]:3", "", ":",
};
static const char *const devices[] = {"a/b/c", "A/B/C", "a/b/c/d", ""};
static const char *const attributes[] = {"attr", "ATTR", "p", "", "attr#dbase=no"};
static const char *const event_names[] = {"idl5_change", "change", "intr_change", "pipe", ""};

enum { TEXT_MAX = 1200 };

/*
 * A text of the list; or the same with so many letters inserted that it may be too long; or the
 * input's own. It ends with a NUL, and may contain others. Returns its length.
 */
static size_t take_text(input_t *input, const char *const *list_of, size_t count, char *out)
{
    uint8_t which = input_byte(input);
    size_t length;
    if (which < 192) {
        const char *text = list_of[which % count];
        size_t more = which < 128 ? 0 : (size_t)input_byte(input) * 8 + input_byte(input) % 8;
        size_t tail = strlen(text);
        const char *slash = strrchr(text, '/');
        size_t head = slash ? (size_t)(slash + 1 - text) : 0;
        if (more > TEXT_MAX - 1 - tail)
            more = TEXT_MAX - 1 - tail;
        memcpy(out, text, head);
        memset(out + head, 'x', more);
        memcpy(out + head + more, text + head, tail - head);
        length = tail + more;
    } else {
        input_t own = input_frame(input);
        length = own.size < TEXT_MAX - 1 ? own.size : TEXT_MAX - 1;
        memcpy(out, own.data, length);
    }
    out[length] = '\0';
    return length;
}

#define TAKE(input, list, out) take_text(input, list, sizeof(list) / sizeof *(list), out)

/* ---- control commands ---- */

/* The channel that a command connects, if it does and the table wasn't full. */
static const channel_t *check_connected_channel(const wire_control_t *command, const state_t *after)
{
    size_t length = strlen(command->topic);
    if (!topic_name_is_heartbeat(command->topic, length))
        return NULL;
    const channel_t *channel = (channel_t *)table_find(&counts.streams.channels, command->topic,
                                                       length - strlen(".heartbeat"));
    for (size_t i = 0; i < after->channel_count; i++) {
        const channel_view_t *view = &after->channel_views[i];
        if (after->channels[i] != channel)
            continue;
        REQUIRE(view->connected);
        REQUIRE(strncmp(view->endpoint, command->endpoint, CHANNEL_ENDPOINT_SIZE - 1) == 0);
        REQUIRE(strlen(view->endpoint) < CHANNEL_ENDPOINT_SIZE);
    }
    if (!channel)
        REQUIRE(after->channel_count == CHANNEL_LIMIT ||
                length - strlen(".heartbeat") > TABLE_NAME_MAX);
    return channel;
}

/* What a command may do to the topics; the one that it connects is checked against the rules. */
static void give_command(const void *data, size_t size, control_origin_t why)
{
    exact_t message = exact_copy(data, size);
    wire_control_t command;
    state_t before;
    state_t after;
    observe(&before);
    if (wire_read_control(message.data, message.size, &command)) {
        bool connects = command.code == WIRE_CONTROL_CONNECT_EVENT ||
                        command.code == WIRE_CONTROL_CONNECT_MCAST_EVENT;
        topic_t *announced = streams_announce(&counts.streams, &command, why, &operation_channel);
        REQUIRE(connects || !announced);
        streams_executed(&counts.streams, &command, now_ns);
        observe(&after);
        topic_t *topic = NULL;
        const void *touched = NULL;
        if (command.code == WIRE_CONTROL_CONNECT_HEARTBEAT)
            touched = check_connected_channel(&command, &after);
        if (connects) {
            topic =
                (topic_t *)table_find(&counts.streams.topics, command.topic, strlen(command.topic));
            REQUIRE(topic == announced);
        }
        if (topic) {
            static const topic_view_t none;
            size_t place = place_of_topic(&after, topic);
            const topic_view_t *new = &after.topic_views[place];
            const topic_view_t *old =
                place < before.topic_count ? &before.topic_views[place] : &none;
            bool again =
                why == CONTROL_OF_RECONNECTION || (why == CONTROL_UNKNOWN && old->subscribed);
            REQUIRE(new->subscribed);
            if (again) {
                REQUIRE(same_counts(new, old));
                REQUIRE(new->last_resubscribed_ns == now_ns);
                models[place].connected_anew = true;
            } else {
                REQUIRE(same_counts(new, &none));
                /* One whose sender was there before the agent may have callbacks. */
                REQUIRE(new->callback_count ==
                        (why == CONTROL_UNKNOWN ? TOPIC_CALLBACKS_UNKNOWN : 0));
                REQUIRE(new->last_resubscribed_ns == CLOCK_NEVER);
                models[place] = (topic_model_t){0};
            }
        }
        check_others(&before, &after, topic ? topic : touched);
    }
    free(message.block);
}

static void do_raw_command(input_t *input)
{
    control_origin_t why = (control_origin_t)(input_byte(input) % 3);
    input_t command = input_frame(input);
    give_command(command.data, command.size, why);
}

static void do_command(input_t *input)
{
    char message[2 + 3 * TEXT_MAX] = {0};
    size_t size = 0;
    control_origin_t why = (control_origin_t)(input_byte(input) % 3);
    uint8_t code = input_byte(input) % WIRE_CONTROL_UNKNOWN;
    bool connects = code == WIRE_CONTROL_CONNECT_HEARTBEAT || code == WIRE_CONTROL_CONNECT_EVENT ||
                    code == WIRE_CONTROL_CONNECT_MCAST_EVENT;
    message[size++] = (char)code;
    if (connects) {
        size++;
        size += TAKE(input, endpoints, message + size) + 1;
        size += TAKE(input, names, message + size) + 1;
    } else {
        size += TAKE(input, names, message + size) + 1;
        size += TAKE(input, endpoints, message + size) + 1;
    }
    give_command(message, size, why);
}

static void do_begin_operation(input_t *input)
{
    (void)input;
    operation_channel = NULL;
}

/* ---- messages ---- */

typedef struct {
    exact_t frames[WIRE_FRAME_COUNT];
    uint64_t bytes;
    bool little_endian;
    bool readable;
    wire_call_t call;
} message_t;

/* Four frames, as they are in the input. */
static message_t take_message(input_t *input)
{
    message_t message = {0};
    for (int i = 0; i < WIRE_FRAME_COUNT; i++) {
        input_t frame = input_frame(input);
        message.frames[i] = exact_copy(frame.data, frame.size);
        message.bytes += frame.size;
    }
    return message;
}

/* One with a topic of the list and a counter. */
static message_t make_message(input_t *input)
{
    message_t message = {0};
    char topic[TEXT_MAX];
    size_t length = TAKE(input, names, topic);
    uint8_t info[17] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    uint8_t high = input_byte(input); /* most counters are small */
    uint32_t counter = high < 200 ? high : input_number(input);
    for (int i = 0; i < 4; i++)
        info[4 + i] = (uint8_t)(counter >> 8 * i);
    static const uint8_t little = 1;
    static const uint8_t no_data[4] = {0};
    message.frames[WIRE_FRAME_TOPIC] = exact_copy(topic, length);
    message.frames[WIRE_FRAME_ENDIAN] = exact_copy(&little, 1);
    message.frames[WIRE_FRAME_CALL] = exact_copy(info, sizeof info);
    message.frames[WIRE_FRAME_DATA] = exact_copy(no_data, sizeof no_data);
    for (int i = 0; i < WIRE_FRAME_COUNT; i++)
        message.bytes += message.frames[i].size;
    return message;
}

static void read_message(message_t *self)
{
    const exact_t *frames = self->frames;
    self->little_endian =
        wire_is_little_endian(frames[WIRE_FRAME_ENDIAN].data, frames[WIRE_FRAME_ENDIAN].size);
    self->readable = wire_read_call(frames[WIRE_FRAME_CALL].data, frames[WIRE_FRAME_CALL].size,
                                    self->little_endian, &self->call);
}

static void free_message(message_t *self)
{
    for (int i = 0; i < WIRE_FRAME_COUNT; i++)
        free(self->frames[i].block);
}

/* What became of a received event, by the rules that docs/answer.md gives. */
static void check_received(const topic_view_t *old, const topic_view_t *new, topic_model_t *model,
                           topic_result_t result, const message_t *message)
{
    uint32_t counter = message->call.counter;
    if (result == TOPIC_IGNORED) {
        REQUIRE(!old->subscribed && same_counts(old, new));
        return;
    }
    REQUIRE(old->subscribed);
    bool first = old->counts[TOPIC_EVENT_COUNT] == 0;
    uint32_t step = counter - old->server_counter;
    if (result == TOPIC_DISCARDED) {
        REQUIRE(step == 0 && !model->discarded_before);
        REQUIRE(old->server_counter != 0 || counter == 1 || compares_zeros);
        REQUIRE(new->counts[TOPIC_DISCARDED_COUNT] == old->counts[TOPIC_DISCARDED_COUNT] + 1);
        topic_view_t expected = *old;
        expected.counts[TOPIC_DISCARDED_COUNT]++;
        REQUIRE(same_counts(new, &expected));
        model->discarded_before = true;
        return;
    }
    REQUIRE(result == TOPIC_RECEIVED);
    model->discarded_before = false;
    REQUIRE(new->counts[TOPIC_EVENT_COUNT] == old->counts[TOPIC_EVENT_COUNT] + 1);
    REQUIRE(new->counts[TOPIC_BYTE_COUNT] == old->counts[TOPIC_BYTE_COUNT] + message->bytes);
    REQUIRE(new->server_counter == counter &&new->last_event_ns == now_ns);
    REQUIRE(new->counts[TOPIC_DISCARDED_COUNT] == old->counts[TOPIC_DISCARDED_COUNT]);
    REQUIRE(new->counts[TOPIC_ERROR_COUNT] ==
            old->counts[TOPIC_ERROR_COUNT] + message->call.is_error);
    REQUIRE(!message->call.is_error || new->last_error_event_ns == now_ns);
    /* Only a stream's first event shows that there was none before. */
    REQUIRE(new->unbased == ((old->unbased && !(first && counter == 1 &&
                                                new->counts[TOPIC_RESTART_COUNT] ==
                                                    old->counts[TOPIC_RESTART_COUNT])) ||
                             (old->no_server_counter && counter != 0)));

    uint64_t restarts = new->counts[TOPIC_RESTART_COUNT] - old->counts[TOPIC_RESTART_COUNT];
    uint64_t missed = new->counts[TOPIC_MISSED_COUNT] - old->counts[TOPIC_MISSED_COUNT];
    uint64_t lost = new->counts[TOPIC_LOST_COUNT] - old->counts[TOPIC_LOST_COUNT];
    uint64_t outage = new->counts[TOPIC_OUTAGE_LOST_COUNT] - old->counts[TOPIC_OUTAGE_LOST_COUNT];
    bool backwards = step > INT32_MAX;
    REQUIRE(restarts <= 1 && missed <= 1);
    REQUIRE(missed == 0 || (step >= 2 && !backwards));
    /* Before the first event there may have been a restart, which the new port shows. */
    if (first && !restarts)
        REQUIRE(missed == 0 && lost == 0);
    else if (restarts)
        REQUIRE((backwards || model->connected_anew) && lost == (counter > 0 ? counter - 1 : 0));
    else if (old->no_server_counter)
        REQUIRE(lost == 0);
    else
        REQUIRE(!backwards && lost == (step > 0 ? step - 1 : 0));
    REQUIRE(outage == (restarts || model->connected_anew ? lost : 0));
    model->connected_anew = false;
}

static void sample(const message_t *message, topic_t *topic, topic_model_t *model,
                   topic_result_t result)
{
    const exact_t *name = &message->frames[WIRE_FRAME_TOPIC];
    const exact_t *content = &message->frames[WIRE_FRAME_DATA];
    bool discarded = result == TOPIC_DISCARDED;
    int64_t callbacks = topic_callback_count(topic);
    receive_sample_t sample = {
        .latency_ns = SAMPLE_UNKNOWN,
        .since_last_ns = now_ns % 3 ? now_ns / 3 : SAMPLE_UNKNOWN,
        .process_ns = now_ns % 1000000007,
        .callback_count = callbacks == TOPIC_CALLBACKS_UNKNOWN ? SAMPLE_UNKNOWN : callbacks};
    size_t length;
    const char *attribute = topic_name_attribute(name->data, name->size, &length);
    if (!discarded)
        memcpy(sample.attr_name, attribute,
               length < SAMPLE_NAME_SIZE ? length : SAMPLE_NAME_SIZE - 1);
    sample.kind_and_discarded = (int64_t)topic_name_kind(name->data, name->size) * 2 + discarded;
    int64_t event_ns;
    if (!discarded && wire_read_time(name->data, name->size, content->data, content->size,
                                     message->little_endian, message->call.is_error, &event_ns))
        sample.latency_ns = now_ns - event_ns;
    samples_receive(&counts.samples, &sample);
    if (discarded)
        return;
    topic_event_took(topic, sample.latency_ns != SAMPLE_UNKNOWN, sample.latency_ns,
                     sample.process_ns);
    model->timed++;
    model->with_latency += sample.latency_ns != SAMPLE_UNKNOWN;
}

/* As receiving.c does it, frame by frame. */
static void receive(message_t *message)
{
    const exact_t *name = &message->frames[WIRE_FRAME_TOPIC];
    state_t before;
    state_t after;
    observe(&before);
    topic_t *topic = NULL;
    topic_result_t result = TOPIC_IGNORED;
    uint64_t unknown_before = atomic_load(&counts.streams.unknown_topic_count);
    topic = streams_known_topic(&counts.streams, name->data, name->size);
    if (topic) {
        REQUIRE(topic->entry.name_length == name->size &&
                memcmp(topic->entry.name, name->data, name->size) == 0);
    } else if (topic_name_is_valid(name->data, name->size) &&
               !topic_name_is_heartbeat(name->data, name->size)) {
        topic = streams_topic(&counts.streams, name->data, name->size);
        REQUIRE(atomic_load(&counts.streams.unknown_topic_count) ==
                unknown_before + (topic ? 0 : 1));
        /* An older subscription's; but a name that a publisher may have made up is never added. */
        bool is_subscribed = topic_name_is_subscribed(name->data, name->size);
        if (topic)
            REQUIRE(!counts.streams.client_connected && is_subscribed);
        else
            REQUIRE(counts.streams.client_connected || before.topic_count == LIMIT ||
                    !is_subscribed);
    }
    read_message(message);
    if (message->readable && topic) {
        const topic_event_t event = {.counter = message->call.counter,
                                     .is_error = message->call.is_error,
                                     .compares_zeros = compares_zeros,
                                     .bytes = message->bytes,
                                     .time_ns = now_ns};
        result = topic_received(topic, &event);
        observe(&after);
        static const topic_view_t unknown = {.subscribed = true};
        size_t place = place_of_topic(&after, topic);
        const topic_view_t *old =
            place < before.topic_count ? &before.topic_views[place] : &unknown;
        check_received(old, &after.topic_views[place], &models[place], result, message);
        if (result != TOPIC_IGNORED) {
            consumer_enters(&counts.streams.consumer, CONSUMER_CALLBACKS, topic,
                            clock_monotonic_coarse_ns());
            if (samples_enabled(&counts.samples))
                sample(message, topic, &models[place], result);
        }
    } else {
        observe(&after);
    }
    check_others(&before, &after, topic);
    free_message(message);
}

static void do_raw_message(input_t *input)
{
    message_t message = take_message(input);
    receive(&message);
}

static void do_message(input_t *input)
{
    message_t message = make_message(input);
    receive(&message);
}

static void do_heartbeat(input_t *input)
{
    char name[TEXT_MAX];
    size_t length = TAKE(input, names, name);
    exact_t frame = exact_copy(name, length);
    state_t before;
    state_t after;
    observe(&before);
    if (topic_name_is_valid(frame.data, frame.size))
        streams_heartbeat(&counts.streams, frame.data, frame.size, now_ns, now_ns);
    observe(&after);
    REQUIRE(after.channel_count == before.channel_count);
    size_t changed = 0;
    for (size_t i = 0; i < after.channel_count; i++) {
        uint64_t more =
            after.channel_views[i].heartbeat_count - before.channel_views[i].heartbeat_count;
        REQUIRE(more <= 1);
        if (more == 1) {
            REQUIRE(topic_name_is_heartbeat(frame.data, frame.size));
            REQUIRE(after.channel_views[i].last_heartbeat_ns == now_ns);
            check_others(&before, &after, after.channels[i]);
        }
        changed += more;
    }
    REQUIRE(changed <= 1);
    free(frame.block);
}

static void push(message_t *message)
{
    const exact_t *name = &message->frames[WIRE_FRAME_TOPIC];
    state_t before;
    state_t after;
    observe(&before);
    stream_t *stream = streams_pushed_as(&counts.streams, name->data, name->size);
    /* Once more, now that the topic may be known; and it is the stream of that name. */
    uint64_t refused = atomic_load(&counts.streams.published.streams.refused);
    REQUIRE(streams_pushed_as(&counts.streams, name->data, name->size) == stream);
    if (topic_name_is_valid(name->data, name->size) &&
        !topic_name_is_heartbeat(name->data, name->size)) {
        char stream_name[TOPIC_NAME_MAX];
        size_t length = topic_name_stream(name->data, name->size, stream_name);
        REQUIRE((stream_t *)table_find(&counts.streams.published.streams, stream_name, length) ==
                stream);
        REQUIRE(stream || refused > 0);
    } else {
        REQUIRE(!stream);
    }
    read_message(message);
    uint32_t counter = message->call.counter;
    if (message->readable && stream) {
        stream_pushed(stream, &counts.streams.published, counter, &call, message->bytes, now_ns);
        observe(&after);
        static const stream_view_t none;
        size_t place = place_of_stream(&after, stream);
        bool is_new = place >= before.stream_count;
        const stream_view_t *old = is_new ? &none : &before.stream_views[place];
        const stream_view_t *new = &after.stream_views[place];
        uint32_t last = is_new ? 0 : before.stream_counters[place];
        uint64_t more = new->pushed_event_count - old->pushed_event_count;
        if (counter == 0 && last == 0) /* none yet, or it wrapped */
            REQUIRE(more <= 1);
        else if (call.watched && !call.counts)
            REQUIRE(more == 0);
        else if (old->pushed_event_count == 0)
            REQUIRE(more == counter);
        else
            REQUIRE(more == (uint32_t)(counter - last));
        REQUIRE(new->byte_count == old->byte_count + (more > 0 ? message->bytes : 0));
        REQUIRE(new->last_event_ns == (more > 0 ? now_ns : old->last_event_ns));
    } else {
        observe(&after);
    }
    check_others(&before, &after, stream);
    free_message(message);
}

static void do_raw_push(input_t *input)
{
    message_t message = take_message(input);
    push(&message);
}

static void do_push(input_t *input)
{
    message_t message = make_message(input);
    push(&message);
}

static void do_begin_push(input_t *input)
{
    uint8_t flags = input_byte(input);
    call = (push_call_t){.watched = flags & 1, .counts = flags & 2};
}

static void do_stream_subscribed(input_t *input)
{
    char name[TEXT_MAX];
    TAKE(input, names, name);
    stream_t *stream =
        streams_published(&counts.streams, name, strlen(name)); /* Tango's own: no NUL */
    if (stream)
        stream_subscribed(stream, &counts.streams.published, now_ns);
}

static void do_confirmed(input_t *input)
{
    char texts[3][TEXT_MAX];
    TAKE(input, devices, texts[0]);
    TAKE(input, attributes, texts[1]);
    TAKE(input, event_names, texts[2]);
    state_t before;
    state_t after;
    observe(&before);
    streams_confirmed(&counts.streams, texts[0], texts[1], texts[2], now_ns);
    observe(&after);
    REQUIRE(after.stream_count == before.stream_count);
    check_others(&before, &after, NULL);
}

/* ---- callbacks ---- */

static void do_connected(input_t *input)
{
    int id = input_byte(input) % IDS;
    char texts[3][TEXT_MAX];
    TAKE(input, devices, texts[0]);
    TAKE(input, attributes, texts[1]);
    TAKE(input, event_names, texts[2]);
    topic_t *topic = streams_find_topic(&counts.streams, texts[0], texts[1], texts[2]);
    if (!topic)
        return;
    subscriptions_connected(&counts.subscriptions, id + 1, topic);
    ids[id].known = true;
    ids[id].connected = true;
}

static void copy_cut(char *out, size_t size, const char *text)
{
    size_t length = strnlen(text, size - 1);
    memcpy(out, text, length);
    out[length] = '\0';
}

static void do_not_connected(input_t *input)
{
    int id = input_byte(input) % IDS;
    char texts[3][TEXT_MAX];
    TAKE(input, devices, texts[0]);
    TAKE(input, attributes, texts[1]);
    TAKE(input, event_names, texts[2]);
    subscription_target_t target = {0};
    copy_cut(target.device, sizeof target.device, texts[0]);
    copy_cut(target.attribute, sizeof target.attribute, texts[1]);
    copy_cut(target.event_type, sizeof target.event_type, texts[2]);
    subscriptions_not_connected(&counts.subscriptions, id + 1, &target, now_ns);
    ids[id].known = true;
}

static void do_tried_again(input_t *input)
{
    subscriptions_tried_again(&counts.subscriptions, input_byte(input) % IDS + 1, now_ns);
}

static void do_removed(input_t *input)
{
    int id = input_byte(input) % IDS;
    subscriptions_removed(&counts.subscriptions, id + 1);
    ids[id].known = false;
    ids[id].connected = false;
}

/* ---- time, monitoring, the consumer thread ---- */

static void do_time(input_t *input)
{
    uint8_t shift = input_byte(input) % 30;
    int64_t step = (int64_t)input_number(input) << shift;
    now_ns += step;
    if (now_ns <= 0 || now_ns > last_time_ns)
        now_ns = 1 + (step & (last_time_ns - 1));
}

static void do_monitoring(input_t *input)
{
    uint8_t flags = input_byte(input);
    samples_enable(&counts.samples, flags & 1);
    compares_zeros = flags & 2;
}

static void do_push_took(input_t *input)
{
    push_sample_t one = {.since_last_ns = input_byte(input) & 1 ? now_ns : SAMPLE_UNKNOWN,
                         .push_event_ns = input_number(input)};
    state_t state;
    observe(&state);
    samples_push(&counts.samples, &one);
    if (state.stream_count > 0)
        stream_push_took(state.published[one.push_event_ns % (int64_t)state.stream_count],
                         one.push_event_ns);
}

static void do_consumer(input_t *input)
{
    static const consumer_state_t states[] = {CONSUMER_POLLING, CONSUMER_CONTROL};
    consumer_enters(&counts.streams.consumer, states[input_byte(input) & 1], NULL,
                    clock_monotonic_coarse_ns());
}

/* ---- answers ---- */

/* How many there are in an answer's histogram, which has to agree with itself. */
static uint64_t check_histogram(const json_t *histogram)
{
    if (json_is_null(histogram))
        return 0;
    const json_t *buckets = json_object_get(histogram, "buckets");
    REQUIRE(json_is_array(buckets));
    json_int_t max = json_integer_value(json_object_get(histogram, "max_nanos"));
    json_int_t total = 0;
    json_int_t below = INT64_MIN;
    double least = 0;
    double most = 0;
    bool open = false; /* some may be below any bound */
    for (size_t i = 0; i < json_array_size(buckets); i++) {
        const json_t *bucket = json_array_get(buckets, i);
        const json_t *from = json_array_get(bucket, 0);
        const json_t *to = json_array_get(bucket, 1);
        json_int_t count = json_integer_value(json_array_get(bucket, 2));
        REQUIRE(count > 0);
        REQUIRE(json_is_null(from) ? i == 0 : json_integer_value(from) >= below);
        REQUIRE(json_is_integer(to) || i == json_array_size(buckets) - 1);
        below = json_is_integer(to) ? json_integer_value(to) : INT64_MAX;
        if (json_is_integer(from) && i == json_array_size(buckets) - 1)
            REQUIRE(max >= json_integer_value(from) && max <= below);
        total += count;
        if (json_is_integer(from))
            least += (double)json_integer_value(from) * (double)count;
        else
            open = true;
        if (json_is_integer(to))
            most += (double)json_integer_value(to) * (double)count;
        else
            most = INFINITY;
    }
    /* Nothing is exact at the ends of what the sum can hold. */
    double sum = (double)json_integer_value(json_object_get(histogram, "sum_nanos"));
    REQUIRE(open || sum >= (least < 9e18 ? least * (1 - 1e-9) : 9e18));
    REQUIRE(sum <= most * (1 + 1e-9));
    REQUIRE(total == json_integer_value(json_object_get(histogram, "count")));
    return (uint64_t)total;
}

static void check_histograms(const json_t *answer, const state_t *state)
{
    const json_t *callbacks = json_object_get(json_object_get(answer, "client"), "event_callbacks");
    for (size_t i = 0; i < state->topic_count; i++) {
        const json_t *topic = json_object_get(callbacks, state->topics[i]->entry.name);
        if (!topic)
            continue;
        REQUIRE(check_histogram(json_object_get(topic, "latency_histogram")) ==
                models[i].with_latency);
        REQUIRE(check_histogram(json_object_get(topic, "processing_histogram")) == models[i].timed);
    }
    const char *name;
    json_t *stream;
    json_t *published = json_object_get(json_object_get(answer, "server"), "event_streams");
    json_object_foreach(published, name, stream)
        check_histogram(json_object_get(stream, "push_event_histogram"));
}

static void check_subscription(const response_subscription_t *shown, const topic_view_t *view,
                               bool legacy)
{
    REQUIRE(shown->counts.callback_count ==
            (view->callback_count < 0 ? RESPONSE_UNKNOWN : view->callback_count));
    REQUIRE((uint64_t)shown->counts.event_count == view->counts[TOPIC_EVENT_COUNT]);
    REQUIRE((uint64_t)shown->counts.server_counter == view->server_counter);
    REQUIRE((uint64_t)shown->counts.missed_event_count == view->counts[TOPIC_MISSED_COUNT]);
    if (legacy)
        return;
    REQUIRE((uint64_t)shown->counts.discarded_event_count == view->counts[TOPIC_DISCARDED_COUNT]);
    REQUIRE((uint64_t)shown->counts.publisher_restart_count == view->counts[TOPIC_RESTART_COUNT]);
    REQUIRE((uint64_t)shown->counts.byte_count == view->counts[TOPIC_BYTE_COUNT]);
    REQUIRE(shown->counts.lost_event_count ==
            ((view->no_server_counter || view->unbased) && view->counts[TOPIC_LOST_COUNT] == 0
                 ? RESPONSE_UNKNOWN
                 : (int64_t)view->counts[TOPIC_LOST_COUNT]));
    REQUIRE(shown->lost_is_minimum ==
            ((view->no_server_counter || view->unbased) && view->counts[TOPIC_LOST_COUNT] > 0));
    REQUIRE((uint64_t)shown->counts.error_event_count == view->counts[TOPIC_ERROR_COUNT]);
    REQUIRE((shown->last_event == NULL) == (view->last_event_ns == CLOCK_NEVER));
}

/* The answer as the monitor reads it, compared with the tables. */
static void check_response(const response_t *response, const state_t *state, bool legacy)
{
    size_t published = 0;
    for (size_t i = 0; i < state->stream_count; i++) {
        stream_view_t view;
        if (!stream_view(state->published[i], &view))
            continue;
        published++;
        for (size_t j = 0; j < response->publisher_count; j++) {
            const response_publisher_t *shown = &response->publishers[j];
            if (strcmp(shown->name, state->published[i]->entry.name) == 0)
                REQUIRE((uint64_t)shown->counts.pushed_event_count == view.pushed_event_count);
        }
    }
    REQUIRE(response->has_server && response->publisher_count == published);
    REQUIRE(response->push_perf_on == samples_enabled(&counts.samples));
    if (!response->has_client)
        return;

    size_t subscribed = 0;
    for (size_t i = 0; i < state->topic_count; i++) {
        subscribed += state->topic_views[i].subscribed;
        for (size_t j = 0; j < response->subscription_count; j++) {
            const response_subscription_t *shown = &response->subscriptions[j];
            if (strcmp(shown->topic, state->topics[i]->entry.name) == 0)
                check_subscription(shown, &state->topic_views[i], legacy);
        }
    }
    REQUIRE(response->subscription_count == subscribed);
    size_t connected = 0;
    for (size_t i = 0; i < state->channel_count; i++)
        connected += state->channel_views[i].connected;
    REQUIRE(response->channel_count == connected);
    size_t waiting = 0;
    for (int i = 0; i < IDS; i++)
        waiting += ids[i].known && !ids[i].connected;
    REQUIRE(response->not_connected_count == (legacy ? 0 : waiting));
    REQUIRE(response->receive_sample_count <= RING_SIZE);
}

static void check_answer(answer_schema_t schema)
{
    state_t state;
    observe(&state);
    char *text = answer_query(&counts, &readers[schema], schema, &origin);
    REQUIRE(text);
    for (const char *p = text; *p; p++)
        REQUIRE(*p >= ' ' && *p < 0x7f);
    json_error_t json_error;
    json_t *answer = json_loads(text, JSON_REJECT_DUPLICATES, &json_error);
    if (!answer)
        fprintf(stderr, "%s\n%d: %s\n", text, json_error.position, json_error.text);
    REQUIRE(answer);
    char *error = NULL;
    response_t *response = response_parse(text, strlen(text), &error);
    if (!response)
        fprintf(stderr, "%s\n%s\n", text, error);
    REQUIRE(response);
    REQUIRE(response->dialect == (schema == ANSWER_LEGACY ? RESPONSE_LEGACY : RESPONSE_AGENT));
    consumer_view_t consumer;
    REQUIRE(response->has_client ==
            consumer_view(&counts.streams.consumer, &consumer, clock_monotonic_coarse_ns()));
    check_response(response, &state, schema == ANSWER_LEGACY);
    if (schema != ANSWER_LEGACY) {
        REQUIRE((uint64_t)response->agent_counts.uncounted ==
                atomic_load(&counts.streams.topics.refused) +
                    atomic_load(&counts.streams.published.streams.refused) +
                    atomic_load(&counts.streams.channels.refused));
        check_histograms(answer, &state);
    }
    response_destroy(&response);
    json_decref(answer);
    free(text);
}

static void do_answer(input_t *input)
{
    answer_schema_t schema = input_byte(input) & 1 ? ANSWER_LEGACY : ANSWER_VERSION_1;
    if (answers_left-- > 0)
        check_answer(schema);
}

/* ---- */

static void (*const operations[])(input_t *input) = {
    do_raw_command, do_raw_message, do_raw_push,   do_command,       do_message,
    do_push,        do_heartbeat,   do_begin_push, do_time,          do_begin_operation,
    do_connected,   do_removed,     do_push_took,  do_monitoring,    do_consumer,
    do_confirmed,   do_tried_again, do_answer,     do_not_connected, do_stream_subscribed,
};

enum { OPERATIONS = sizeof operations / sizeof *operations };

/*
 * libFuzzer keeps an input also if it fills one of these: if after an operation of that kind there
 * is a topic in a state in which there was none before. Code coverage alone doesn't distinguish
 * states.
 */
__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t reached[OPERATIONS][256];

static void note_state(size_t operation)
{
    state_t state;
    observe(&state);
    for (size_t i = 0; i < state.topic_count; i++) {
        const topic_view_t *view = &state.topic_views[i];
        unsigned which = (view->subscribed ? 1 : 0) | (view->no_server_counter ? 2 : 0) |
                         (view->counts[TOPIC_LOST_COUNT] > 0 ? 4 : 0) |
                         (view->counts[TOPIC_OUTAGE_LOST_COUNT] > 0 ? 8 : 0) |
                         (view->counts[TOPIC_RESTART_COUNT] > 0 ? 16 : 0) |
                         (view->counts[TOPIC_DISCARDED_COUNT] > 0 ? 32 : 0) |
                         (view->callback_count > 0 ? 64 : 0) | (view->channel ? 128 : 0);
        reached[operation][which] = 1;
    }
}

static void begin(void)
{
    streams_init(&counts.streams);
    counts.streams.topics.limit = LIMIT;
    counts.streams.published.streams.limit = LIMIT;
    counts.streams.pushed_topics.limit = LIMIT;
    counts.streams.channels.limit = CHANNEL_LIMIT;
    memset(&counts.samples, 0, sizeof counts.samples);
    memset(readers, 0, sizeof readers);
    memset(models, 0, sizeof models);
    memset(ids, 0, sizeof ids);
    atomic_store(&counts.subscriptions.watched, true);
    now_ns = INT64_C(1700000000000000000);
    operation_channel = NULL;
    call = (push_call_t){0};
    compares_zeros = false;
    answers_left = ANSWERS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t input = {data, size};
    begin();
    while (input.size > 0) {
        size_t operation = input_byte(&input) % OPERATIONS;
        operations[operation](&input);
        note_state(operation);
    }
    check_answer(ANSWER_VERSION_1);
    check_answer(ANSWER_LEGACY);
    subscriptions_clear(&counts.subscriptions);
    streams_clear(&counts.streams);
    return 0;
}
