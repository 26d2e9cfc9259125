/* A report as JSON: one object, with null for what isn't known. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/memory.h"
#include "cmocka_all.h"
#include "monitor/view/report/report_json.h"
#include "observing.h"

/* Of polls, each two servers with their answers; the caller owns the result. */
static json_t *json_of(const char *const (*polls)[5], size_t count)
{
    const report_options_t options = {.window = 0};
    report_t *report = report_new(&options);
    observing_t *observing = observing_new(NULL);
    for (size_t i = 0; i < count; i++) {
        observing_poll(observing, polls[i]);
        report_add(report, observing->observation);
        observation_settle(observing->observation);
    }
    report_settle(report);
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    report_json_write(out, report);
    memory_stream_close(out);
    json_error_t error;
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        fail_msg("%s: %s", error.text, text);
    assert_null(strchr(text, '\n'));
    free(text);
    report_destroy(&report);
    observing_destroy(&observing);
    return json;
}

/* The value of a path, whose parts are keys and places in lists: "streams.0.lost". */
static const json_t *at(const json_t *json, const char *path)
{
    char *copy = memory_string(path);
    char *rest = NULL;
    for (char *part = strtok_r(copy, ".", &rest); part; part = strtok_r(NULL, ".", &rest)) {
        json = json_is_array(json) ? json_array_get(json, (size_t)strtol(part, NULL, 10))
                                   : json_object_get(json, part);
        if (!json)
            fail_msg("no %s in %s", part, path);
    }
    free(copy);
    return json;
}

static void assert_count(const json_t *json, const char *path, json_int_t count)
{
    assert_int_equal(json_integer_value(at(json, path)), count);
    assert_true(json_is_integer(at(json, path)));
}

static void assert_text(const json_t *json, const char *path, const char *text)
{
    assert_string_equal(json_string_value(at(json, path)), text);
}

#define STREAM "tango://h:1/a/b/c/d.change"
#define PUSHED(count)                                                                              \
    "{'version': 1, 'agent': {'pid': 1}, 'server': {'event_streams': {'" STREAM                    \
    "': {'pushed_event_count': " #count "}}}}"
#define RECEIVED(received, lost)                                                                   \
    "{'version': 1, 'agent': {'pid': 7}, 'client': {'event_callbacks': {"                          \
    "'tango://h:1/a/b/c/d.idl5_change': {'event_count': " #received ", 'lost_event_count': " #lost \
    "}}}}"

static void a_report_of_nothing_has_all_keys(void **state)
{
    (void)state;
    json_t *json = json_of(NULL, 0);
    static const char *const nulls[] = {"begin", "end",  "seconds", "period_seconds",
                                        "lost",  "push", "latency", "processing"};
    for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++)
        assert_true(json_is_null(at(json, nulls[i])));
    static const char *const lists[] = {"findings",  "servers", "streams",
                                        "incidents", "minutes", "columns"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        assert_true(json_is_array(at(json, lists[i])));
        assert_int_equal(json_array_size(at(json, lists[i])), 0);
    }
    assert_count(json, "polls", 0);
    assert_count(json, "left_out.streams", 0);
    json_decref(json);
}

static void a_stream_has_its_publisher_and_its_subscriptions(void **state)
{
    (void)state;
    static const char *const polls[][5] = {{"p", PUSHED(5), "s", RECEIVED(4, 0)},
                                           {"p", PUSHED(25), "s", RECEIVED(16, 3)}};
    json_t *json = json_of(polls, 2);
    assert_text(json, "begin", "2026-09-21T14:13:30.000000+00:00");
    assert_text(json, "end", "2026-09-21T14:13:40.000000+00:00");
    assert_count(json, "polls", 2);
    assert_count(json, "pushed", 20);
    assert_count(json, "received", 12);
    assert_count(json, "lost", 3);
    assert_text(json, "streams.0.stream", STREAM);
    assert_count(json, "streams.0.pushed", 20);
    assert_count(json, "streams.0.lost", 3);
    assert_text(json, "streams.0.publishers.0.server", "p");
    assert_count(json, "streams.0.publishers.0.pushed", 20);
    assert_true(json_is_null(at(json, "streams.0.publishers.0.pushed_bytes")));
    assert_text(json, "streams.0.subscriptions.0.server", "s");
    assert_text(json, "streams.0.subscriptions.0.topic", "tango://h:1/a/b/c/d.idl5_change");
    assert_count(json, "streams.0.subscriptions.0.received", 12);
    assert_count(json, "streams.0.subscriptions.0.lost", 3);
    assert_text(json, "findings.0.rule", "overflow");
    assert_text(json, "servers.1.server", "s");
    assert_count(json, "servers.1.answered", 2);
    json_decref(json);
}

/* Counted, and always the same: that isn't unknown. */
static void a_silent_stream_has_no_events(void **state)
{
    (void)state;
    static const char *const polls[][5] = {{"p", PUSHED(5), "s", RECEIVED(5, 0)},
                                           {"p", PUSHED(5), "s", RECEIVED(5, 0)}};
    json_t *json = json_of(polls, 2);
    assert_count(json, "streams.0.publishers.0.pushed", 0);
    assert_true(json_is_null(at(json, "streams.0.publishers.0.pushed_bytes")));
    assert_count(json, "streams.0.subscriptions.0.received", 0);
    assert_count(json, "streams.0.subscriptions.0.lost", 0);
    assert_true(json_is_null(at(json, "streams.0.subscriptions.0.received_bytes")));
    json_decref(json);
}

static void what_is_not_known_is_null(void **state)
{
    (void)state;
    static const char *const polls[][5] = {{"p", "no answer", "s", "no answer"},
                                           {"p", RECEIVED(1, null), "s", "no answer"},
                                           {"p", RECEIVED(1, null), "s", "no \"answer\""}};
    json_t *json = json_of(polls, 3);
    assert_true(json_is_null(at(json, "streams.0.pushed")));
    assert_true(json_is_null(at(json, "streams.0.subscriptions.0.lost")));
    assert_true(json_is_null(at(json, "servers.1.first_answer")));
    assert_text(json, "servers.1.error", "no \"answer\"");
    assert_count(json, "servers.1.failed", 3);
    json_decref(json);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_of_nothing_has_all_keys),
        cmocka_unit_test(a_stream_has_its_publisher_and_its_subscriptions),
        cmocka_unit_test(a_silent_stream_has_no_events),
        cmocka_unit_test(what_is_not_known_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
