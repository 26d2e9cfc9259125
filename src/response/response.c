#include "response/response.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "response/memory.h"
#include "response/printable.h"

/*
 * One parse. The readers below take the object and the key of the value they read, and return false
 * after fail() has written what is wrong; the first failure ends the parse.
 */
typedef struct {
    bool legacy;
    char *error;
} parser_t;

/* Where a value stands, for messages: section, and in it the entry's name or its index. */
typedef struct {
    const char *section; /* e.g. "client.event_callbacks" */
    const char *name;    /* e.g. a topic; NULL: not an object of names */
    size_t index;        /* in a list; NOT_IN_A_LIST otherwise */
} place_t;

#define NOT_IN_A_LIST SIZE_MAX

static place_t place_section(const char *section)
{
    return (place_t){.section = section, .name = NULL, .index = NOT_IN_A_LIST};
}

static place_t place_name(const char *section, const char *name)
{
    return (place_t){.section = section, .name = name, .index = NOT_IN_A_LIST};
}

static place_t place_index(const char *section, size_t index)
{
    return (place_t){.section = section, .name = NULL, .index = index};
}

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        break;
    }
    return "null";
}

static bool fail(parser_t *self, place_t place, const char *key, const char *problem)
{
    char *where = NULL;
    if (place.name) {
        where = memory_format("%s[\"%s\"]", place.section, place.name);
    } else if (place.index != NOT_IN_A_LIST) {
        where = memory_format("%s[%zu]", place.section, place.index);
    } else {
        where = memory_format("%s", place.section);
    }
    self->error = memory_format("%s%s%s: %s", where, *where && *key ? "." : "", key, problem);
    free(where);
    return false;
}

static bool fail_type(parser_t *self, place_t place, const char *key, const char *expected,
                      const json_t *value)
{
    char *problem = memory_format("expected %s, found %s", expected, type_name(value));
    fail(self, place, key, problem);
    free(problem);
    return false;
}

/* The value of a key, or NULL if it is null or absent: both say that it isn't known. */
static json_t *value_of(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

static bool read_object(parser_t *self, const json_t *object, place_t place, const char *key,
                        json_t **result)
{
    *result = value_of(object, key);
    if (*result && !json_is_object(*result)) {
        return fail_type(self, place, key, "an object", *result);
    }
    return true;
}

static bool read_list(parser_t *self, const json_t *object, place_t place, const char *key,
                      json_t **result)
{
    *result = value_of(object, key);
    if (*result && !json_is_array(*result)) {
        return fail_type(self, place, key, "a list", *result);
    }
    return true;
}

static bool read_string(parser_t *self, const json_t *object, place_t place, const char *key,
                        char **result)
{
    const json_t *value = value_of(object, key);
    if (!value) {
        return true;
    }
    if (!json_is_string(value)) {
        return fail_type(self, place, key, "a string", value);
    }
    *result = memory_string(json_string_value(value));
    return true;
}

static bool read_boolean(parser_t *self, const json_t *object, place_t place, const char *key,
                         bool *result)
{
    const json_t *value = value_of(object, key);
    if (!value) {
        return true;
    }
    if (!json_is_boolean(value)) {
        return fail_type(self, place, key, "true or false", value);
    }
    *result = json_is_true(value);
    return true;
}

static bool read_count_value(parser_t *self, const json_t *value, place_t place, const char *key,
                             int64_t *result)
{
    if (!value || json_is_null(value)) {
        return true;
    }
    int64_t count = 0;
    if (json_is_integer(value)) {
        count = json_integer_value(value);
    } else if (json_is_real(value)) {
        /* Writers that know only floating point numbers write 12.0. */
        double real = json_real_value(value);
        if (real != floor(real)) {
            return fail(self, place, key, "expected a count, found a fraction");
        }
        if (real >= 0x1p63 || real < -0x1p63) {
            return fail(self, place, key, "the count is too large");
        }
        count = (int64_t)real;
    } else {
        return fail_type(self, place, key, "a count", value);
    }
    if (count == -1 && self->legacy) {
        return true;
    }
    if (count < 0) {
        return fail(self, place, key, "expected a count, found a negative number");
    }
    *result = count;
    return true;
}

static bool read_count(parser_t *self, const json_t *object, place_t place, const char *key,
                       int64_t *result)
{
    return read_count_value(self, json_object_get(object, key), place, key, result);
}

/* Durations may be negative: a latency is taken between the clocks of two machines. */
static bool read_micros(parser_t *self, const json_t *object, place_t place, const char *key,
                        double *result)
{
    const json_t *value = value_of(object, key);
    if (!value) {
        return true;
    }
    if (!json_is_number(value)) {
        return fail_type(self, place, key, "a number", value);
    }
    double micros = json_number_value(value);
    if (micros == -1.0 && self->legacy) {
        return true;
    }
    *result = micros;
    return true;
}

/* A key that the legacy answer spells in its own way, and sometimes in the new one. */
static const char *spelling(const parser_t *self, const json_t *object, const char *key,
                            const char *legacy_key)
{
    return self->legacy && json_object_get(object, legacy_key) ? legacy_key : key;
}

static int compare_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "");
}

static int compare_publishers(const void *a, const void *b)
{
    const response_publisher_t *left = a;
    const response_publisher_t *right = b;
    return compare_text(left->name, right->name);
}

static int compare_subscriptions(const void *a, const void *b)
{
    const response_subscription_t *left = a;
    const response_subscription_t *right = b;
    return compare_text(left->topic, right->topic);
}

static int compare_channels(const void *a, const void *b)
{
    const response_channel_t *left = a;
    const response_channel_t *right = b;
    return compare_text(left->name, right->name);
}

static int compare_not_connected(const void *a, const void *b)
{
    const response_not_connected_t *left = a;
    const response_not_connected_t *right = b;
    int order = compare_text(left->device, right->device);
    if (order == 0) {
        order = compare_text(left->attribute, right->attribute);
    }
    return order != 0 ? order : compare_text(left->event_type, right->event_type);
}

static response_publisher_t *add_publisher(response_t *response, const char *name)
{
    response_publisher_t *publisher = &response->publishers[response->publisher_count++];
    publisher->name = memory_string(name);
    publisher->event_count = RESPONSE_UNKNOWN;
    publisher->byte_count = RESPONSE_UNKNOWN;
    publisher->has_subscribers = true;
    return publisher;
}

static bool read_event_stream(parser_t *self, const json_t *value, response_publisher_t *publisher)
{
    place_t place = place_name("server.event_streams", publisher->name);
    if (json_is_null(value)) {
        return true;
    }
    if (!json_is_object(value)) {
        return fail_type(self, place, "", "an object", value);
    }
    return read_count(self, value, place, "pushed_event_count", &publisher->event_count) &&
           read_count(self, value, place, "byte_count", &publisher->byte_count) &&
           read_string(self, value, place, "last_event", &publisher->last_event) &&
           read_boolean(self, value, place, "has_subscribers", &publisher->has_subscribers);
}

/* Publishers are the streams of "event_counters", and of the agent's "event_streams". */
static bool read_publishers(parser_t *self, const json_t *server, response_t *response)
{
    json_t *counters = NULL;
    json_t *streams = NULL;
    if (!read_object(self, server, place_section("server"), "event_counters", &counters) ||
        !read_object(self, server, place_section("server"), "event_streams", &streams)) {
        return false;
    }
    response->publishers = memory_new(json_object_size(counters) + json_object_size(streams),
                                      sizeof(*response->publishers));

    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(counters, name, value)
    {
        response_publisher_t *publisher = add_publisher(response, name);
        const json_t *stream = json_object_get(streams, name);
        if (!read_count_value(self, value, place_name("server.event_counters", name), "",
                              &publisher->event_count) ||
            (stream && !read_event_stream(self, stream, publisher))) {
            return false;
        }
    }
    json_object_foreach(streams, name, value)
    {
        if (!json_object_get(counters, name) &&
            !read_event_stream(self, value, add_publisher(response, name))) {
            return false;
        }
    }
    if (response->publisher_count > 1) {
        qsort(response->publishers, response->publisher_count, sizeof(*response->publishers),
              compare_publishers);
    }
    return true;
}

static bool read_push_samples(parser_t *self, const json_t *server, response_t *response)
{
    const char *key = spelling(self, server, "perf", "perf_stats");
    json_t *samples = NULL;
    if (!read_list(self, server, place_section("server"), key, &samples)) {
        return false;
    }
    response->push_perf_on = samples != NULL;
    response->push_samples = memory_new(json_array_size(samples), sizeof(*response->push_samples));

    size_t index = 0;
    json_t *value = NULL;
    json_array_foreach(samples, index, value)
    {
        place_t place = place_index("server.perf", index);
        if (!json_is_object(value)) {
            return fail_type(self, place, "", "an object", value);
        }
        response_push_sample_t *sample = &response->push_samples[response->push_sample_count++];
        sample->micros_since_last_event = NAN;
        sample->push_event_micros = NAN;
        if (!read_micros(self, value, place, "micros_since_last_event",
                         &sample->micros_since_last_event) ||
            !read_micros(self, value, place, "push_event_micros", &sample->push_event_micros)) {
            return false;
        }
    }
    return true;
}

static bool read_server(parser_t *self, const json_t *server, response_t *response)
{
    response->has_server = true;
    return read_publishers(self, server, response) && read_push_samples(self, server, response);
}

static bool read_subscription(parser_t *self, const json_t *value,
                              response_subscription_t *subscription)
{
    place_t place = place_name("client.event_callbacks", subscription->topic);
    const struct {
        const char *key;
        int64_t *count;
    } counts[] = {
        {"callback_count", &subscription->callback_count},
        {"server_counter", &subscription->server_counter},
        {"event_count", &subscription->event_count},
        {"missed_event_count", &subscription->missed_event_count},
        {"discarded_event_count", &subscription->discarded_event_count},
        {"lost_event_count", &subscription->lost_event_count},
        {"outage_lost_event_count", &subscription->outage_lost_event_count},
        {"publisher_restart_count", &subscription->publisher_restart_count},
        {"byte_count", &subscription->byte_count},
    };
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        *counts[i].count = RESPONSE_UNKNOWN;
    }
    if (!json_is_object(value)) {
        return fail_type(self, place, "", "an object", value);
    }
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        if (!read_count(self, value, place, counts[i].key, counts[i].count)) {
            return false;
        }
    }
    return read_string(self, value, place, "channel_name", &subscription->channel_name) &&
           read_string(self, value, place, "last_resubscribed", &subscription->last_resubscribed) &&
           read_string(self, value, place, "last_event", &subscription->last_event);
}

static bool read_subscriptions(parser_t *self, const json_t *client, response_t *response)
{
    json_t *callbacks = NULL;
    if (!read_object(self, client, place_section("client"), "event_callbacks", &callbacks)) {
        return false;
    }
    response->subscriptions =
        memory_new(json_object_size(callbacks), sizeof(*response->subscriptions));

    const char *topic = NULL;
    json_t *value = NULL;
    json_object_foreach(callbacks, topic, value)
    {
        response_subscription_t *subscription =
            &response->subscriptions[response->subscription_count++];
        subscription->topic = memory_string(topic);
        if (!read_subscription(self, value, subscription)) {
            return false;
        }
    }
    if (response->subscription_count > 1) {
        qsort(response->subscriptions, response->subscription_count,
              sizeof(*response->subscriptions), compare_subscriptions);
    }
    return true;
}

static bool read_channels(parser_t *self, const json_t *client, response_t *response)
{
    json_t *channels = NULL;
    if (!read_object(self, client, place_section("client"), "event_channels", &channels)) {
        return false;
    }
    response->channels = memory_new(json_object_size(channels), sizeof(*response->channels));

    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(channels, name, value)
    {
        response_channel_t *channel = &response->channels[response->channel_count++];
        channel->name = memory_string(name);
        place_t place = place_name("client.event_channels", name);
        if (!json_is_object(value)) {
            return fail_type(self, place, "", "an object", value);
        }
        if (!read_string(self, value, place, "endpoint", &channel->endpoint)) {
            return false;
        }
    }
    if (response->channel_count > 1) {
        qsort(response->channels, response->channel_count, sizeof(*response->channels),
              compare_channels);
    }
    return true;
}

static bool read_not_connected(parser_t *self, const json_t *client, response_t *response)
{
    json_t *entries = NULL;
    if (!read_list(self, client, place_section("client"), "not_connected", &entries)) {
        return false;
    }
    response->not_connected =
        memory_new(json_array_size(entries), sizeof(*response->not_connected));

    size_t index = 0;
    json_t *value = NULL;
    json_array_foreach(entries, index, value)
    {
        place_t place = place_index("client.not_connected", index);
        if (!json_is_object(value)) {
            return fail_type(self, place, "", "an object", value);
        }
        response_not_connected_t *entry = &response->not_connected[response->not_connected_count++];
        if (!read_string(self, value, place, "device", &entry->device) ||
            !read_string(self, value, place, "attribute", &entry->attribute) ||
            !read_string(self, value, place, "event_type", &entry->event_type) ||
            !read_string(self, value, place, "last_heartbeat", &entry->last_heartbeat) ||
            !read_string(self, value, place, "tango_host", &entry->tango_host)) {
            return false;
        }
        entry->device = entry->device ? entry->device : memory_string("");
        entry->attribute = entry->attribute ? entry->attribute : memory_string("");
        entry->event_type = entry->event_type ? entry->event_type : memory_string("");
    }
    if (response->not_connected_count > 1) {
        qsort(response->not_connected, response->not_connected_count,
              sizeof(*response->not_connected), compare_not_connected);
    }
    return true;
}

static bool read_receive_sample(parser_t *self, const json_t *value, place_t place,
                                response_receive_sample_t *sample)
{
    sample->micros_since_last_event = NAN;
    sample->sleep_micros = NAN;
    sample->process_micros = NAN;
    sample->first_callback_latency_micros = NAN;
    sample->callback_count = RESPONSE_UNKNOWN;
    sample->wake_count = RESPONSE_UNKNOWN;
    if (!json_is_object(value)) {
        return fail_type(self, place, "", "an object", value);
    }
    return read_string(self, value, place, spelling(self, value, "attr_name", "att_name"),
                       &sample->attr_name) &&
           read_string(self, value, place, "event_type", &sample->event_type) &&
           read_micros(self, value, place, "micros_since_last_event",
                       &sample->micros_since_last_event) &&
           read_micros(self, value, place, "sleep_micros", &sample->sleep_micros) &&
           read_micros(self, value, place, "process_micros", &sample->process_micros) &&
           /* The legacy key is misspelt in the servers out there. */
           read_micros(self, value, place,
                       spelling(self, value, "first_callback_latency_micros",
                                "first_callback_lactency_micros"),
                       &sample->first_callback_latency_micros) &&
           read_count(self, value, place, "callback_count", &sample->callback_count) &&
           read_count(self, value, place, "wake_count", &sample->wake_count) &&
           read_boolean(self, value, place, "discarded", &sample->discarded);
}

static bool read_receive_samples(parser_t *self, const json_t *client, response_t *response)
{
    const char *key = spelling(self, client, "perf", "perf_stats");
    json_t *samples = NULL;
    if (!read_list(self, client, place_section("client"), key, &samples)) {
        return false;
    }
    response->receive_perf_on = samples != NULL;
    response->receive_samples =
        memory_new(json_array_size(samples), sizeof(*response->receive_samples));

    size_t index = 0;
    json_t *value = NULL;
    json_array_foreach(samples, index, value)
    {
        if (!read_receive_sample(self, value, place_index("client.perf", index),
                                 &response->receive_samples[response->receive_sample_count++])) {
            return false;
        }
    }
    return true;
}

static bool read_consumer(parser_t *self, const json_t *client, response_t *response)
{
    response_consumer_t *consumer = &response->consumer;
    json_t *value = NULL;
    if (!read_object(self, client, place_section("client"), "consumer_thread", &value)) {
        return false;
    }
    place_t place = place_section("client.consumer_thread");
    return !value || (read_string(self, value, place, "state", &consumer->state) &&
                      read_string(self, value, place, "topic", &consumer->topic) &&
                      read_string(self, value, place, "since", &consumer->since) &&
                      read_micros(self, value, place, "state_micros", &consumer->state_micros) &&
                      read_micros(self, value, place, "delayed_micros", &consumer->delayed_micros));
}

static bool read_client(parser_t *self, const json_t *client, response_t *response)
{
    response->has_client = true;
    return read_subscriptions(self, client, response) && read_channels(self, client, response) &&
           read_not_connected(self, client, response) && read_consumer(self, client, response) &&
           read_receive_samples(self, client, response);
}

static bool read_agent(parser_t *self, const json_t *agent, response_t *response)
{
    place_t place = place_section("agent");
    return read_string(self, agent, place, "version", &response->agent_version) &&
           read_string(self, agent, place, "tango_version", &response->tango_version) &&
           read_count(self, agent, place, "pid", &response->agent_pid) &&
           read_count(self, agent, place, "uncounted", &response->agent_uncounted) &&
           read_string(self, agent, place, "attached", &response->agent_attached);
}

static bool read_version(parser_t *self, const json_t *answer)
{
    const json_t *version = json_object_get(answer, "version");
    if (!version) {
        self->legacy = true;
        if (!json_object_get(answer, "server") && !json_object_get(answer, "client")) {
            self->error = memory_string("not an answer of QueryEventSystem: none of \"version\", "
                                        "\"server\" and \"client\" is there");
            return false;
        }
        return true;
    }
    if (!json_is_number(version)) {
        return fail_type(self, place_section(""), "version", "a number", version);
    }
    if (json_number_value(version) != 1.0) {
        char *problem = memory_format("this program reads version 1 of the answer, not version %g",
                                      json_number_value(version));
        fail(self, place_section(""), "version", problem);
        free(problem);
        return false;
    }
    return true;
}

static bool read_answer(parser_t *self, const json_t *answer, response_t *response)
{
    place_t top = place_section("");
    json_t *server = NULL;
    json_t *client = NULL;
    json_t *agent = NULL;
    if (!read_version(self, answer) || !read_object(self, answer, top, "server", &server) ||
        !read_object(self, answer, top, "client", &client) ||
        !read_object(self, answer, top, "agent", &agent)) {
        return false;
    }
    response->dialect = agent          ? RESPONSE_AGENT
                        : self->legacy ? RESPONSE_LEGACY
                                       : RESPONSE_VERSION_1;
    return (!server || read_server(self, server, response)) &&
           (!client || read_client(self, client, response)) &&
           (!agent || read_agent(self, agent, response));
}

/* Hands a message on, without what could disturb a terminal or break the line. */
static void give_error(char **error, const char *message)
{
    if (error) {
        *error = printable_copy(message, true);
    }
}

response_t *response_parse(const char *text, size_t size, char **error)
{
    if (error) {
        *error = NULL;
    }
    json_error_t json_error;
    /* DECODE_ANY: "null" is JSON too, and deserves the message that says what was expected. */
    json_t *answer = json_loadb(text ? text : "", text ? size : 0, JSON_DECODE_ANY, &json_error);
    if (!answer) {
        char *message = memory_format("not JSON: line %d, column %d: %s", json_error.line,
                                      json_error.column, json_error.text);
        give_error(error, message);
        free(message);
        return NULL;
    }
    parser_t parser = {.legacy = false, .error = NULL};
    response_t *response = memory_new(1, sizeof(*response));
    response->agent_pid = RESPONSE_UNKNOWN;
    response->agent_uncounted = RESPONSE_UNKNOWN;
    response->consumer.state_micros = NAN;
    response->consumer.delayed_micros = NAN;
    bool good = json_is_object(answer)
                    ? read_answer(&parser, answer, response)
                    : fail_type(&parser, place_section("answer"), "", "an object", answer);
    json_decref(answer);
    if (!good) {
        give_error(error, parser.error);
        free(parser.error);
        response_destroy(&response);
    }
    return response;
}

void response_destroy(response_t **self)
{
    response_t *response = *self;
    if (!response) {
        return;
    }
    for (size_t i = 0; i < response->publisher_count; i++) {
        free(response->publishers[i].name);
        free(response->publishers[i].last_event);
    }
    for (size_t i = 0; i < response->subscription_count; i++) {
        free(response->subscriptions[i].topic);
        free(response->subscriptions[i].channel_name);
        free(response->subscriptions[i].last_resubscribed);
        free(response->subscriptions[i].last_event);
    }
    for (size_t i = 0; i < response->channel_count; i++) {
        free(response->channels[i].name);
        free(response->channels[i].endpoint);
    }
    for (size_t i = 0; i < response->not_connected_count; i++) {
        free(response->not_connected[i].device);
        free(response->not_connected[i].attribute);
        free(response->not_connected[i].event_type);
        free(response->not_connected[i].last_heartbeat);
        free(response->not_connected[i].tango_host);
    }
    for (size_t i = 0; i < response->receive_sample_count; i++) {
        free(response->receive_samples[i].attr_name);
        free(response->receive_samples[i].event_type);
    }
    free(response->consumer.state);
    free(response->consumer.topic);
    free(response->consumer.since);
    free(response->publishers);
    free(response->push_samples);
    free(response->subscriptions);
    free(response->channels);
    free(response->not_connected);
    free(response->receive_samples);
    free(response->agent_version);
    free(response->tango_version);
    free(response->agent_attached);
    free(response);
    *self = NULL;
}

bool response_pushed_count_is_next(const response_t *self)
{
    return self->dialect != RESPONSE_AGENT;
}

/*
 * A name ends in ".idl5_change" or ".change"; only the part behind the last dot can hold a level,
 * and only digits can stand between "idl" and "_".
 */
char *response_stream_of_topic(const char *topic)
{
    static const char mark[] = "idl";
    char *stream = memory_string(topic);
    char *dot = strrchr(stream, '.');
    if (dot && strncmp(dot + 1, mark, sizeof(mark) - 1) == 0) {
        const char *level = dot + sizeof(mark);
        size_t digits = strspn(level, "0123456789");
        if (digits > 0 && level[digits] == '_') {
            const char *event_type = level + digits + 1;
            memmove(dot + 1, event_type, strlen(event_type) + 1);
        }
    }
    return stream;
}
