#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "answers.h"
#include "monitor/analysis/changes.h"

/* Two answers and their differences. */
typedef struct {
    response_t *before;
    response_t *after;
    changes_t *changes;
} pair_t;

static pair_t compare(const char *before, const char *after)
{
    pair_t pair = {
        .before = before ? answers_parse(before) : NULL,
        .after = answers_parse(after),
    };
    pair.changes = changes_new(pair.before, pair.after, NULL, NULL);
    assert_non_null(pair.changes);
    return pair;
}

static void release(pair_t *pair)
{
    changes_destroy(&pair->changes);
    assert_null(pair->changes);
    response_destroy(&pair->before);
    response_destroy(&pair->after);
}

static void test_first_answer_is_all_new(void **state)
{
    (void)state;
    response_t *after = answers_response("agent-full.json", "subscriber");
    changes_t *changes = changes_new(NULL, after, NULL, NULL);
    assert_true(changes->first);
    assert_false(changes->server_restarted);
    assert_false(changes->counters_restarted);
    assert_int_equal(changes->publisher_count, 0);
    assert_int_equal(changes->subscription_count, 2);
    assert_int_equal(changes->subscriptions[1].kind, CHANGE_NEW);
    assert_null(changes->subscriptions[1].before);
    assert_ptr_equal(changes->subscriptions[1].after, &after->subscriptions[1]);
    assert_int_equal(changes->channel_count, 1);
    assert_int_equal(changes->not_connected_count, 2);
    assert_true(changes_any(changes));
    changes_destroy(&changes);
    response_destroy(&after);
}

static void test_same_answer_has_no_change(void **state)
{
    (void)state;
    static const char *const files[] = {"native-10.3.3-steady.json", "legacy-both.json",
                                        "agent-full.json"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        response_t *before = answers_response(files[i], "subscriber");
        response_t *after = answers_response(files[i], "subscriber");
        changes_t *changes = changes_new(before, after, NULL, NULL);
        assert_false(changes->first);
        assert_false(changes_any(changes));
        changes_destroy(&changes);
        response_destroy(&before);
        response_destroy(&after);
    }
}

static void test_publishers(void **state)
{
    (void)state;
    pair_t pair =
        compare("{'version': 1, 'server': {'event_counters': {'a': 1, 'b': 1, 'c': 1, 'e': 1}}}",
                "{'version': 1, 'server': {'event_counters': {'b': 1, 'c': 2, 'd': 1, 'f': 9}}}");
    const changes_t *changes = pair.changes;
    assert_int_equal(changes->publisher_count, 5);
    assert_int_equal(changes->publishers[0].kind, CHANGE_REMOVED);
    assert_string_equal(changes->publishers[0].before->name, "a");
    assert_null(changes->publishers[0].after);
    assert_int_equal(changes->publishers[1].kind, CHANGE_CHANGED);
    assert_string_equal(changes->publishers[1].before->name, "c");
    assert_int_equal(changes->publishers[1].after->counts.pushed_event_count, 2);
    assert_int_equal(changes->publishers[2].kind, CHANGE_NEW);
    assert_string_equal(changes->publishers[2].after->name, "d");
    assert_int_equal(changes->publishers[3].kind, CHANGE_REMOVED);
    assert_string_equal(changes->publishers[3].before->name, "e");
    assert_int_equal(changes->publishers[4].kind, CHANGE_NEW);
    assert_string_equal(changes->publishers[4].after->name, "f");
    assert_true(changes_any(changes));
    release(&pair);
}

/* Whatever changes in a subscription is reported. */
static void test_every_part_of_a_subscription(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "callback_count",   "server_counter",          "event_count", "missed_event_count",
        "lost_event_count", "publisher_restart_count", "byte_count",  "discarded_event_count",
    };
    static const char *const texts[] = {"channel_name", "last_resubscribed", "last_event"};
    const char *format = "{'version': 1, 'client': {'event_callbacks': {'t': {'%s': %s}}}}";
    char before[256];
    char after[256];
    for (size_t i = 0; i < 8 + 3; i++) {
        const char *key = i < 8 ? keys[i] : texts[i - 8];
        const char *values[] = {i < 8 ? "1" : "'x'", i < 8 ? "2" : "'y'", "null"};
        for (size_t j = 0; j < 9; j++) {
            snprintf(before, sizeof before, format, key, values[j / 3]);
            snprintf(after, sizeof after, format, key, values[j % 3]);
            pair_t pair = compare(before, after);
            assert_int_equal(pair.changes->subscription_count, j / 3 == j % 3 ? 0 : 1);
            assert_int_equal(changes_any(pair.changes), j / 3 != j % 3);
            release(&pair);
        }
    }
}

static void test_subscriptions(void **state)
{
    (void)state;
    pair_t pair = compare("{'version': 1, 'client': {'event_callbacks': {'a': {}, 'b': {}}}}",
                          "{'version': 1, 'client': {'event_callbacks': {'b': {}, 'c': {}}}}");
    assert_int_equal(pair.changes->subscription_count, 2);
    assert_int_equal(pair.changes->subscriptions[0].kind, CHANGE_REMOVED);
    assert_string_equal(pair.changes->subscriptions[0].before->topic, "a");
    assert_int_equal(pair.changes->subscriptions[1].kind, CHANGE_NEW);
    assert_string_equal(pair.changes->subscriptions[1].after->topic, "c");
    release(&pair);
}

/* If a list is incomplete, nothing is gone; what wasn't in it may not be new. */
static void test_truncated_lists(void **state)
{
    (void)state;
#define WITH(truncated, counters, streams, topics, channels, waiting)                              \
    "{'version': 1, 'agent': {'pid': 1, 'truncated': " truncated                                   \
    "}, 'server': {'event_counters': {" counters "}, 'event_streams': {" streams                   \
    "}}, 'client': {'event_callbacks': {" topics "}, 'event_channels': {" channels                 \
    "}, 'not_connected': [" waiting "]}}"
#define SOME(truncated)                                                                            \
    WITH(truncated, "'a': 1", "'a': {}", "'t': {}", "'c': {}", "{'device': 'd'}")
#define NONE(truncated) WITH(truncated, "", "", "", "", "")
#define ALL             "{'event_streams': 1, 'event_callbacks': 1, 'event_channels': 1, 'not_connected': 1}"
    pair_t pair = compare(SOME("null"), NONE(ALL));
    assert_false(changes_any(pair.changes));
    release(&pair);
    pair = compare(SOME("null"), NONE("{'event_counters': 1}"));
    assert_int_equal(pair.changes->publisher_count, 0);
    assert_int_equal(pair.changes->subscription_count, 1);
    assert_int_equal(pair.changes->channel_count, 1);
    assert_int_equal(pair.changes->not_connected_count, 1);
    release(&pair);
    pair = compare(NONE(ALL), SOME("null"));
    assert_int_equal(pair.changes->publisher_count, 1);
    assert_int_not_equal(pair.changes->publishers[0].kind, CHANGE_NEW);
    assert_null(pair.changes->publishers[0].before);
    assert_int_not_equal(pair.changes->subscriptions[0].kind, CHANGE_NEW);
    assert_int_not_equal(pair.changes->channels[0].kind, CHANGE_NEW);
    assert_int_not_equal(pair.changes->not_connected[0].kind, CHANGE_NEW);
    release(&pair);
    /* What a complete answer lacks is gone, whatever the previous one left out. */
    pair = compare(SOME(ALL), NONE("null"));
    assert_int_equal(pair.changes->publishers[0].kind, CHANGE_REMOVED);
    assert_int_equal(pair.changes->subscriptions[0].kind, CHANGE_REMOVED);
    assert_int_equal(pair.changes->channels[0].kind, CHANGE_REMOVED);
    assert_int_equal(pair.changes->not_connected[0].kind, CHANGE_REMOVED);
    release(&pair);
#undef WITH
#undef SOME
#undef NONE
#undef ALL
}

static void test_channels(void **state)
{
    (void)state;
    pair_t pair = compare("{'version': 1, 'client': {'event_channels': {'a': {'endpoint': 'x'}, "
                          "'b': {'endpoint': 'x'}, 'c': {}}}}",
                          "{'version': 1, 'client': {'event_channels': {'b': {'endpoint': 'y'}, "
                          "'c': {}, 'd': {}}}}");
    assert_int_equal(pair.changes->channel_count, 3);
    assert_int_equal(pair.changes->channels[0].kind, CHANGE_REMOVED);
    assert_int_equal(pair.changes->channels[1].kind, CHANGE_CHANGED);
    assert_string_equal(pair.changes->channels[1].before->endpoint, "x");
    assert_string_equal(pair.changes->channels[1].after->endpoint, "y");
    assert_int_equal(pair.changes->channels[2].kind, CHANGE_NEW);
    assert_string_equal(pair.changes->channels[2].after->name, "d");
    release(&pair);
}

static void test_not_connected(void **state)
{
    (void)state;
    /* Equal entries pair up; another heartbeat alone is no news. */
    pair_t pair = compare(
        "{'version': 1, 'client': {'not_connected': ["
        "{'device': 'd', 'attribute': 'a', 'event_type': 'change', 'last_heartbeat': '1'}, "
        "{'device': 'd', 'attribute': 'a', 'event_type': 'change'}, "
        "{'device': 'd', 'attribute': 'b', 'event_type': 'change'}]}}",
        "{'version': 1, 'client': {'not_connected': ["
        "{'device': 'd', 'attribute': 'a', 'event_type': 'archive'}, "
        "{'device': 'd', 'attribute': 'a', 'event_type': 'change', 'last_heartbeat': '2'}]}}");
    assert_int_equal(pair.changes->not_connected_count, 3);
    assert_int_equal(pair.changes->not_connected[0].kind, CHANGE_NEW);
    assert_string_equal(pair.changes->not_connected[0].after->event_type, "archive");
    assert_int_equal(pair.changes->not_connected[1].kind, CHANGE_REMOVED);
    assert_string_equal(pair.changes->not_connected[1].before->attribute, "a");
    assert_int_equal(pair.changes->not_connected[2].kind, CHANGE_REMOVED);
    assert_string_equal(pair.changes->not_connected[2].before->attribute, "b");
    release(&pair);
}

static void test_a_side_that_vanishes(void **state)
{
    (void)state;
    pair_t pair = compare("{'version': 1, 'server': {'event_counters': {'a': 1}}, "
                          "'client': {'event_callbacks': {'t': {}}, 'event_channels': {'c': {}}, "
                          "'not_connected': [{}]}}",
                          "{'version': 1}");
    assert_int_equal(pair.changes->publisher_count, 1);
    assert_int_equal(pair.changes->publishers[0].kind, CHANGE_REMOVED);
    assert_int_equal(pair.changes->subscription_count, 1);
    assert_int_equal(pair.changes->channel_count, 1);
    assert_int_equal(pair.changes->not_connected_count, 1);
    release(&pair);
}

static void test_another_process(void **state)
{
    (void)state;
    static const struct {
        const char *before;
        const char *after;
        bool restarted;
    } cases[] = {
        {"'pid': 1, 'attached': 'x'", "'pid': 1, 'attached': 'x'", false},
        {"'pid': 1, 'attached': 'x'", "'pid': 2, 'attached': 'x'", true},
        {"'pid': 1, 'attached': 'x'", "'pid': 1, 'attached': 'y'", true},
        {"'pid': 1", "'attached': 'y'", false},
        {"'pid': 1", "'pid': 2", true},
    };
    const char *format = "{'version': 1, 'agent': {%s}, 'server': {'event_counters': {'a': 1}}, "
                         "'client': {'event_callbacks': {'t': {}}}}";
    char before[256];
    char after[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(before, sizeof before, format, cases[i].before);
        snprintf(after, sizeof after, format, cases[i].after);
        pair_t pair = compare(before, after);
        assert_int_equal(pair.changes->server_restarted, cases[i].restarted);
        assert_int_equal(pair.changes->counters_restarted, cases[i].restarted);
        assert_int_equal(changes_any(pair.changes), cases[i].restarted);
        /* Counts of another process may be equal by chance: they are news all the same. */
        assert_int_equal(pair.changes->publisher_count, cases[i].restarted ? 1 : 0);
        assert_int_equal(pair.changes->subscription_count, cases[i].restarted ? 1 : 0);
        release(&pair);
    }
}

static void test_another_dialect(void **state)
{
    (void)state;
    pair_t pair = compare("{'version': 1, 'server': {'event_counters': {'a': 5}}}",
                          "{'version': 1, 'agent': {}, 'server': {'event_counters': {'a': 4}}}");
    assert_false(pair.changes->server_restarted);
    assert_true(pair.changes->counters_restarted);
    assert_int_equal(pair.changes->publisher_count, 1);
    assert_int_equal(pair.changes->publishers[0].kind, CHANGE_CHANGED);
    release(&pair);
}

static void assert_step(count_step_t step, count_step_kind_t kind, int64_t by)
{
    assert_int_equal(step.kind, kind);
    assert_int_equal(step.by, by);
}

static void test_count_steps(void **state)
{
    (void)state;
    assert_step(changes_count(5, 5), COUNT_SAME, 0);
    assert_step(changes_count(0, 0), COUNT_SAME, 0);
    assert_step(changes_count(5, 12), COUNT_UP, 7);
    assert_step(changes_count(0, INT64_MAX), COUNT_UP, INT64_MAX);
    assert_step(changes_count(12, 5), COUNT_RESTARTED, 5);
    assert_step(changes_count(12, 0), COUNT_RESTARTED, 0);
    assert_step(changes_count(RESPONSE_UNKNOWN, 5), COUNT_UNKNOWN, 0);
    assert_step(changes_count(5, RESPONSE_UNKNOWN), COUNT_UNKNOWN, 0);
    assert_step(changes_count(INT64_C(4294967295), 3), COUNT_RESTARTED, 3);
}

static void test_server_counter_steps(void **state)
{
    (void)state;
    assert_step(changes_server_counter(5, 12), COUNT_UP, 7);
    assert_step(changes_server_counter(5, 5), COUNT_SAME, 0);
    assert_step(changes_server_counter(5, RESPONSE_UNKNOWN), COUNT_UNKNOWN, 0);
    /* Around 2^32: ..., 4294967295, 0, 1, ... */
    assert_step(changes_server_counter(INT64_C(4294967295), 0), COUNT_UP, 1);
    assert_step(changes_server_counter(INT64_C(4294967290), 3), COUNT_UP, 9);
    /* A server that ran for months and then restarts has not pushed a thousand million events. */
    assert_step(changes_server_counter(INT64_C(3000000000), 3), COUNT_RESTARTED, 3);
    assert_step(changes_server_counter(INT64_C(30000), 3), COUNT_RESTARTED, 3);
    /* The agent counts on beyond 2^32. */
    assert_step(changes_server_counter(INT64_C(4294967295), INT64_C(4294967296)), COUNT_UP, 1);
    assert_step(changes_server_counter(INT64_C(4294967296), 3), COUNT_RESTARTED, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_answer_is_all_new),
        cmocka_unit_test(test_same_answer_has_no_change),
        cmocka_unit_test(test_publishers),
        cmocka_unit_test(test_every_part_of_a_subscription),
        cmocka_unit_test(test_subscriptions),
        cmocka_unit_test(test_truncated_lists),
        cmocka_unit_test(test_channels),
        cmocka_unit_test(test_not_connected),
        cmocka_unit_test(test_a_side_that_vanishes),
        cmocka_unit_test(test_another_process),
        cmocka_unit_test(test_another_dialect),
        cmocka_unit_test(test_count_steps),
        cmocka_unit_test(test_server_counter_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
