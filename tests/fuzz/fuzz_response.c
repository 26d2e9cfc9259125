/*
 * The monitor's reader of answers: whatever a server answers, it is read or refused with one
 * printable line, the same each time, and nothing leaks.
 */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "fuzz.h"
#include "json_change.h"
#include "response/names.h"
#include "response/response.h"

static void check_text(const char *text)
{
    if (!text)
        return;
    char *stream = names_stream_of_topic(text);
    REQUIRE(strlen(stream) <= strlen(text));
    char *shown = printable_copy(text, true);
    REQUIRE(strlen(shown) <= strlen(text));
    char *again = printable_copy(shown, true);
    REQUIRE(strcmp(shown, again) == 0);
    REQUIRE(printable_width(shown) <= 2 * strlen(shown));
    char *ascii = printable_copy(text, false);
    for (const char *p = ascii; *p; p++)
        REQUIRE(*p >= ' ' && *p < 0x7f);
    free(ascii);
    free(again);
    free(shown);
    free(stream);
}

static void check_count(int64_t count)
{
    REQUIRE(count >= 0 || count == RESPONSE_UNKNOWN);
}

static void check_counts(const counters_t *counters, const void *counts)
{
    for (size_t i = 0; i < counters->count; i++)
        check_count(counter_of(&counters->list[i], counts));
}

static void check_order(const char *before, const char *name)
{
    REQUIRE(name);
    REQUIRE(!before || strcmp(before, name) < 0); /* each of them once */
}

static void check_response(const response_t *response)
{
    const char *before = NULL;
    for (size_t i = 0; i < response->publisher_count; i++) {
        const response_publisher_t *one = &response->publishers[i];
        check_order(before, one->name);
        before = one->name;
        check_counts(&counters_of_publisher, &one->counts);
        check_text(one->name);
        check_text(one->last_event);
        check_text(one->last_subscription);
    }
    before = NULL;
    for (size_t i = 0; i < response->subscription_count; i++) {
        const response_subscription_t *one = &response->subscriptions[i];
        check_order(before, one->topic);
        before = one->topic;
        check_counts(&counters_of_subscription, &one->counts);
        check_text(one->topic);
        check_text(one->channel_name);
        check_text(one->last_resubscribed);
        check_text(one->last_event);
    }
    before = NULL;
    for (size_t i = 0; i < response->channel_count; i++) {
        check_order(before, response->channels[i].name);
        before = response->channels[i].name;
        check_text(response->channels[i].name);
        check_text(response->channels[i].endpoint);
        check_text(response->channels[i].event_endpoint);
        check_text(response->channels[i].last_heartbeat);
        check_counts(&counters_of_channel, &response->channels[i].counts);
    }
    for (size_t i = 0; i < response->not_connected_count; i++) {
        const response_not_connected_t *one = &response->not_connected[i];
        REQUIRE(one->device && one->attribute && one->event_type);
        check_text(one->device);
        check_text(one->last_heartbeat);
    }
    for (size_t i = 0; i < response->receive_sample_count; i++) {
        const response_receive_sample_t *one = &response->receive_samples[i];
        check_text(one->attr_name);
        check_text(one->event_type);
        check_count(one->callback_count);
        check_count(one->wake_count);
    }
    REQUIRE(response->push_perf_on || response->push_sample_count == 0);
    REQUIRE(response->receive_perf_on || response->receive_sample_count == 0);
    REQUIRE(response->has_server || response->publisher_count == 0);
    REQUIRE(response->has_client || response->subscription_count == 0);
    check_count(response->agent_pid);
    check_counts(&counters_of_agent, &response->agent_counts);
    REQUIRE(response_pushed_count_is_next(response) == (response->dialect != RESPONSE_AGENT));
}

/* ---- next to what is in the text ---- */

/* The value of a key as the reader has to take it: nothing, or of the type that it expects. */
static json_t *value_of(const json_t *object, const char *key, json_type type)
{
    json_t *value = json_object_get(object, key);
    if (!value || json_is_null(value))
        return NULL;
    REQUIRE(json_typeof(value) == type);
    return value;
}

static void check_samples(const json_t *side, bool legacy, bool on, size_t count)
{
    const char *key = legacy && json_object_get(side, "perf_stats") ? "perf_stats" : "perf";
    const json_t *samples = value_of(side, key, JSON_ARRAY);
    REQUIRE(on == (samples != NULL));
    REQUIRE(count == json_array_size(samples));
}

/* As many entries of every list as there are in the text. */
static void check_against_text(const response_t *response, const exact_t *text)
{
    /* Whole numbers beyond 2^63 are fine where nobody reads them. */
    json_t *answer = json_loadb(text->data, text->size, JSON_DECODE_INT_AS_REAL, NULL);
    REQUIRE(json_is_object(answer));
    bool legacy = json_object_get(answer, "version") == NULL;
    const json_t *server = value_of(answer, "server", JSON_OBJECT);
    const json_t *client = value_of(answer, "client", JSON_OBJECT);
    const json_t *agent = value_of(answer, "agent", JSON_OBJECT);
    REQUIRE(response->has_server == (server != NULL));
    REQUIRE(response->has_client == (client != NULL));
    REQUIRE((response->dialect == RESPONSE_AGENT) == (agent != NULL));
    REQUIRE(agent || (response->dialect == RESPONSE_LEGACY) == legacy);

    const json_t *counters = value_of(server, "event_counters", JSON_OBJECT);
    json_t *streams = value_of(server, "event_streams", JSON_OBJECT);
    size_t published = json_object_size(counters);
    const char *name;
    json_t *stream;
    json_object_foreach(streams, name, stream) published += json_object_get(counters, name) ? 0 : 1;
    REQUIRE(response->publisher_count == published);
    check_samples(server, legacy, response->push_perf_on, response->push_sample_count);

    REQUIRE(response->subscription_count ==
            json_object_size(value_of(client, "event_callbacks", JSON_OBJECT)));
    REQUIRE(response->channel_count ==
            json_object_size(value_of(client, "event_channels", JSON_OBJECT)));
    REQUIRE(response->not_connected_count ==
            json_array_size(value_of(client, "not_connected", JSON_ARRAY)));
    check_samples(client, legacy, response->receive_perf_on, response->receive_sample_count);
    value_of(client, "consumer_thread", JSON_OBJECT);
    json_decref(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    exact_t text = exact_copy(data, size);
    char *error = NULL;
    response_t *response = response_parse(text.data, text.size, &error);
    REQUIRE((response == NULL) == (error != NULL));
    /* What is said to be no JSON is none for another reader either; that one takes NULs, though. */
    if (error && strncmp(error, "not JSON", 8) == 0 && !strstr(error, "levels deep") &&
        !memchr(text.data, '\0', text.size))
        REQUIRE(!json_loadb(text.data, text.size, JSON_DECODE_INT_AS_REAL | JSON_DECODE_ANY, NULL));
    if (response) {
        check_response(response);
        check_against_text(response, &text);
    } else {
        REQUIRE(*error);
        char *printable = printable_copy(error, true);
        REQUIRE(strcmp(printable, error) == 0);
        free(printable);
    }
    /* Without an error to fill in, the result is the same. */
    response_t *again = response_parse(text.data, text.size, NULL);
    REQUIRE((again == NULL) == (response == NULL));
    if (again)
        REQUIRE(again->dialect == response->dialect &&
                again->publisher_count == response->publisher_count &&
                again->subscription_count == response->subscription_count);
    response_destroy(&again);
    response_destroy(&response);
    REQUIRE(!response);
    free(error);
    free(text.block);
    return 0;
}

/* ---- changing an answer so that it stays JSON ---- */

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    unsigned random = seed;
    json_t *answer = NULL;
    if (json_change_random(&random) % 4 > 0)
        answer = json_loadb((const char *)data, size, 0, NULL);
    if (!answer)
        return LLVMFuzzerMutate(data, size, max_size);
    unsigned times = 1 + json_change_random(&random) % 3;
    for (unsigned i = 0; i < times; i++)
        json_change(answer, &random);
    char *text = json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
    size_t length = text ? strlen(text) : 0;
    if (length == 0 || length > max_size) {
        free(text);
        return LLVMFuzzerMutate(data, size, max_size);
    }
    memcpy(data, text, length);
    free(text);
    return length;
}
