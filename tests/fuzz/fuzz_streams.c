/*
 * All that is counted, under any sequence of events, orders, heartbeats and queries: what is
 * counted must agree with a plain model of it, and every answer must be JSON.
 */
#include <jansson.h>

#include "agent/answer.h"
#include "agent/samples.h"
#include "agent/streams.h"
#include "agent/subscriptions.h"
#include "fuzz.h"

static streams_t streams;
static subscriptions_t subscriptions = SUBSCRIPTIONS_INITIALIZER;
static samples_t samples;

enum { TOPICS = 4, NAME_ROOM = 96 };

/* What a subscription must have counted. */
typedef struct {
    uint64_t received;
    uint64_t discarded;
    uint64_t bytes;
} model_t;

static model_t models[TOPICS];

static void topic_name(char *name, uint32_t which)
{
    static const char *const formats[TOPICS] = {
        "tango://h:1/a/b/c/x.idl5_change", "tango://h:1/a/b/c/y#dbase=no.idl5_change",
        "tango://h:2/a/b/c/x.idl5_change", "tango://h:1/a/b/c.intr_change"};
    snprintf(name, NAME_ROOM, "%s", formats[which % TOPICS]);
}

static void check_topic(uint32_t which)
{
    char name[NAME_ROOM];
    topic_name(name, which);
    topic_t *topic = (topic_t *)table_find(&streams.topics, name, strlen(name));
    if (!topic)
        return;
    topic_view_t view;
    topic_view(topic, &view);
    REQUIRE(view.event_count == models[which].received);
    REQUIRE(view.discarded_event_count == models[which].discarded);
    REQUIRE(view.byte_count == models[which].bytes);
    REQUIRE(view.outage_lost_event_count <= view.lost_event_count);
    REQUIRE(view.missed_event_count <= view.event_count);
    REQUIRE(view.publisher_restart_count <= view.event_count);
    REQUIRE(view.lost_event_count == 0 || view.event_count > 0);
    REQUIRE(view.callback_count >= TOPIC_CALLBACKS_UNKNOWN);
}

static void receive(uint32_t which, uint32_t counter, uint32_t bytes)
{
    char name[NAME_ROOM];
    topic_name(name, which);
    topic_t *topic = streams_topic(&streams, name, strlen(name));
    REQUIRE(topic);
    switch (topic_received(topic, counter, bytes, 1)) {
    case TOPIC_RECEIVED:
        models[which].received++;
        models[which].bytes += bytes;
        break;
    case TOPIC_DISCARDED:
        models[which].discarded++;
        break;
    case TOPIC_IGNORED: {
        topic_view_t view;
        topic_view(topic, &view);
        REQUIRE(!view.subscribed);
        break;
    }
    }
    if (samples_enabled(&samples))
        topic_event_took(topic, counter & 1, (int64_t)counter - 1000, (int64_t)counter * bytes);
}

static void give_order(fuzz_input_t *input)
{
    size_t size;
    uint8_t *block = fuzz_block(input, &size);
    wire_order_t order;
    channel_t *channel = NULL;
    order_origin_t origin = (order_origin_t)(fuzz_number(input, 1) % 3);
    if (wire_read_order(block, size, &order)) {
        /* The four topics of the model are connected by orders that are made below. */
        bool model = false;
        char name[NAME_ROOM];
        for (uint32_t i = 0; order.topic && i < TOPICS; i++) {
            topic_name(name, i);
            model = model || strcasecmp(order.topic, name) == 0;
        }
        if (!model || order.code == WIRE_ORDER_DISCONNECT_EVENT) {
            streams_announce(&streams, &order, origin, &channel);
            streams_order(&streams, &order, 2);
        }
    }
    free(block);
}

static void connect_topic(uint32_t which, uint32_t kind)
{
    char name[NAME_ROOM];
    topic_name(name, which);
    bool again = kind & 1;
    wire_order_t order = {WIRE_ORDER_CONNECT_EVENT, name,
                          kind & 2 ? "tcp://127.0.0.1:1000" : "tcp://127.0.0.1:1001", NULL};
    channel_t *channel = NULL;
    streams_announce(&streams, &order, again ? ORDER_OF_RECONNECTION : ORDER_OF_CLIENT, &channel);
    streams_order(&streams, &order, 3);
    if (!again)
        models[which] = (model_t){0};
}

static void query(uint32_t kind)
{
    static samples_reader_t reader;
    const answer_sources_t sources = {&streams, &subscriptions, &samples};
    const answer_origin_t origin = {.tango_version = "9.3.4", .attached_ns = 1};
    char *answer =
        answer_query(&sources, &reader, kind & 1 ? ANSWER_LEGACY : ANSWER_VERSION_1, &origin);
    REQUIRE(answer);
    json_error_t error;
    json_t *json = json_loads(answer, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        fprintf(stderr, "%s at %d in %s\n", error.text, error.position, answer);
    REQUIRE(json);
    json_decref(json);
    free(answer);
}

static void push(fuzz_input_t *input)
{
    size_t size;
    uint8_t *topic = fuzz_block(input, &size);
    uint32_t counter = fuzz_number(input, 4);
    push_call_t call = {.watched = counter & 1, .counts = counter & 2};
    if (wire_is_topic((const char *)topic, size) &&
        memchr(topic, '\0', size) == NULL) { /* cppTango's names are C strings */
        char name[WIRE_TOPIC_MAX];
        size_t length = wire_stream_name((const char *)topic, size, name);
        stream_t *stream = streams_published(&streams, name, length);
        REQUIRE(stream);
        stream_view_t before;
        stream_view_t after;
        stream_view(stream, &before);
        stream_pushed(&streams, stream, counter, &call, 10, 4);
        bool shown = stream_view(stream, &after);
        REQUIRE(after.pushed_event_count >= before.pushed_event_count);
        REQUIRE(after.pushed_event_count - before.pushed_event_count <= UINT32_MAX);
        REQUIRE(shown || after.pushed_event_count == 0);
        if (samples_enabled(&samples))
            stream_push_took(stream, counter);
    }
    free(topic);
}

static void confirm(fuzz_input_t *input)
{
    char texts[3][64];
    for (size_t i = 0; i < 3; i++) {
        size_t size;
        uint8_t *block = fuzz_block(input, &size);
        snprintf(texts[i], sizeof texts[i], "%.*s", (int)(size < 60 ? size : 60), (char *)block);
        free(block);
    }
    streams_confirmed(&streams, texts[0], texts[1], texts[2], 5);
    streams_find_topic(&streams, texts[0], texts[1], texts[2]);
    const subscription_target_t target = {"a/b/c", "x", "change"};
    subscriptions_not_connected(&subscriptions, texts[0][0] % 8, &target, 5);
}

static void callback(uint32_t which, uint32_t id)
{
    char name[NAME_ROOM];
    topic_name(name, which);
    topic_t *topic = (topic_t *)table_find(&streams.topics, name, strlen(name));
    if (topic && id & 1)
        subscriptions_connected(&subscriptions, (int)(id % 16), topic);
    else
        subscriptions_removed(&subscriptions, (int)(id % 16));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t input = {data, size};
    streams_init(&streams);
    memset(models, 0, sizeof models);
    consumer_enters(&streams.consumer, CONSUMER_POLLING, NULL, 1);
    while (input.size > 0) {
        uint32_t operation = fuzz_number(&input, 1);
        uint32_t which = (operation >> 4) % TOPICS;
        switch (operation % 11) {
        case 0:
        case 1: /* a small step, as there are most */
            receive(which, fuzz_number(&input, 1), 60);
            break;
        case 2:
            receive(which, fuzz_number(&input, 4), fuzz_number(&input, 1));
            break;
        case 3:
            give_order(&input);
            break;
        case 4:
            connect_topic(which, fuzz_number(&input, 1));
            break;
        case 5:
            query(fuzz_number(&input, 1));
            break;
        case 6:
            push(&input);
            break;
        case 7: {
            size_t length;
            uint8_t *topic = fuzz_block(&input, &length);
            streams_heartbeat(&streams, (const char *)topic, length, fuzz_number(&input, 4));
            free(topic);
            break;
        }
        case 8:
            confirm(&input);
            break;
        case 9:
            callback(which, fuzz_number(&input, 1));
            break;
        default:
            samples_enable(&samples, operation & 16);
            break;
        }
        for (uint32_t i = 0; i < TOPICS; i++)
            check_topic(i);
    }
    query(0);
    query(1);
    subscriptions_clear(&subscriptions);
    streams_clear(&streams);
    return 0;
}
