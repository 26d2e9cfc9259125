/* What is remembered of each server, over several snapshots. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "base/memory.h"
#include "monitor/model/continuity.h"
#include "monitor/model/history.h"

static history_t *history;
static time_t now;

static int setup(void **state)
{
    (void)state;
    history = history_new();
    now = 1000;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    history_destroy(&history);
    assert_null(history);
    history_destroy(&history);
    return 0;
}

typedef struct {
    const char *server;
    const char *answer; /* with ' for "; NULL: it failed */
} told_t;

/* Remembers a snapshot, one second after the previous one. */
static void remember(size_t count, const told_t *told)
{
    snapshot_t *snapshot = snapshot_new(count);
    snapshot->time.tv_sec = ++now;
    for (size_t i = 0; i < count; i++) {
        reply_t *reply = &snapshot->replies[i];
        reply->server = memory_string(told[i].server);
        if (told[i].answer) {
            reply->response = answers_parse(told[i].answer);
            reply->data = memory_string(told[i].answer);
            reply->data_size = strlen(reply->data);
        } else {
            reply->error = memory_format("down at %d", (int)now);
        }
    }
    history_remember(history, &snapshot);
    assert_null(snapshot);
}

static void remember_one(const char *answer)
{
    remember(1, &(told_t){"a", answer});
}

static const reply_t *last_of(const char *server)
{
    const reply_t *reply = snapshot_find(history_previous(history), server, 0);
    assert_non_null(reply);
    return reply;
}

#define PUBLISHER(pid, counters)                                                                   \
    "{'version': 1, 'agent': {'pid': " #pid "}, 'server': {'event_counters': {" counters "}}, "    \
    "'client': null}"

static void test_nothing_at_first(void **state)
{
    (void)state;
    assert_null(history_previous(history));
}

static void test_the_last_answer_of_each(void **state)
{
    (void)state;
    remember(2, (told_t[]){{"a", PUBLISHER(1, "'s': 1")}, {"b", PUBLISHER(2, "'s': 2")}});
    remember(2, (told_t[]){{"a", PUBLISHER(1, "'s': 10")}, {"b", PUBLISHER(2, "'s': 20")}});
    const snapshot_t *previous = history_previous(history);
    assert_int_equal(previous->reply_count, 2);
    assert_int_equal(previous->time.tv_sec, now);
    assert_string_equal(previous->replies[0].server, "a");
    assert_int_equal(previous->replies[0].response->publishers[0].counts.pushed_event_count, 10);
    assert_string_equal(previous->replies[1].server, "b");
    assert_int_equal(previous->replies[1].response->publishers[0].counts.pushed_event_count, 20);
}

/* It may be of another moment than its snapshot. */
static void test_when_it_was_asked(void **state)
{
    (void)state;
    snapshot_t *snapshot = snapshot_new(2);
    snapshot->time.tv_sec = 2000;
    for (int i = 0; i < 2; i++) {
        snapshot->replies[i].server = memory_format("%c", 'a' + i);
        snapshot->replies[i].response = answers_parse(PUBLISHER(1, "'x': 1"));
    }
    snapshot->replies[1].time.tv_sec = 1990;
    history_remember(history, &snapshot);
    assert_int_equal(last_of("a")->time.tv_sec, 2000);
    assert_int_equal(last_of("b")->time.tv_sec, 1990);
}

static void test_neither_text_nor_samples(void **state)
{
    (void)state;
    static const char answer[] =
        "{'version': 1, 'server': {'event_counters': {}, "
        "'perf': [{'micros_since_last_event': 1, 'push_event_micros': 2}]}, 'client': null}";
    response_t *parsed = answers_parse(answer);
    assert_int_equal(parsed->push_sample_count, 1);
    response_destroy(&parsed);
    remember_one(answer);
    const reply_t *reply = last_of("a");
    assert_null(reply->data);
    assert_int_equal(reply->data_size, 0);
    assert_int_equal(reply->response->push_sample_count, 0);
    assert_true(reply->response->push_perf_on);
}

static void test_one_that_fails_keeps_its_last_answer(void **state)
{
    (void)state;
    remember_one(PUBLISHER(1, "'s': 1"));
    remember_one(NULL);
    assert_string_equal(last_of("a")->error, "down at 1002");
    assert_int_equal(last_of("a")->response->publishers[0].counts.pushed_event_count, 1);
    /* The answer is still that of the first snapshot. */
    assert_int_equal(last_of("a")->time.tv_sec, 1001);
    assert_int_equal(history_previous(history)->time.tv_sec, 1002);
    remember_one(NULL);
    assert_string_equal(last_of("a")->error, "down at 1003");
    remember_one(PUBLISHER(1, "'s': 2"));
    assert_null(last_of("a")->error);
    assert_int_equal(last_of("a")->response->publishers[0].counts.pushed_event_count, 2);
    assert_int_equal(last_of("a")->time.tv_sec, 1004);
}

static void test_one_that_never_answered_has_none(void **state)
{
    (void)state;
    remember_one(NULL);
    assert_null(last_of("a")->response);
    assert_string_equal(last_of("a")->error, "down at 1001");
}

/* In a recording, servers come and go. */
static void test_servers_are_known_by_their_names(void **state)
{
    (void)state;
    remember(2, (told_t[]){{"a", PUBLISHER(1, "'s': 1")}, {"b", PUBLISHER(2, "'s': 2")}});
    remember(2, (told_t[]){{"c", PUBLISHER(3, "'s': 3")}, {"a", PUBLISHER(1, "'s': 10")}});
    static const struct {
        const char *server;
        int64_t count;
    } expected[] = {{"a", 10}, {"b", 2}, {"c", 3}};
    const snapshot_t *previous = history_previous(history);
    assert_int_equal(previous->reply_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(previous->replies[i].server, expected[i].server);
        assert_int_equal(previous->replies[i].response->publishers[0].counts.pushed_event_count,
                         expected[i].count);
    }
}

/* ---- what an answer doesn't say ---- */

#define SUBSCRIBER(agent, topics)                                                                  \
    "{'version': 1, 'agent': {" agent "}, 'server': null, 'client': {'event_callbacks': {" topics  \
    "}}}"

#define TRUNCATED "'truncated': {'event_callbacks': 1}"

static void assert_topics(const char *expected)
{
    const response_t *response = last_of("a")->response;
    char *text = memory_string("");
    for (size_t i = 0; i < response->subscription_count; i++) {
        const response_subscription_t *entry = &response->subscriptions[i];
        char *longer = memory_format("%s%s%s=%d", text, i > 0 ? " " : "", entry->topic,
                                     (int)entry->counts.event_count);
        free(text);
        text = longer;
    }
    assert_string_equal(text, expected);
    free(text);
}

static void test_what_was_left_out_is_kept(void **state)
{
    (void)state;
    remember_one(SUBSCRIBER("'pid': 1", "'s': {'event_count': 1}, 't': {'event_count': 2}"));
    remember_one(SUBSCRIBER("'pid': 1, " TRUNCATED, "'t': {'event_count': 3}"));
    assert_topics("s=1 t=3");
    /* Also by the next one, and no more than were left out. */
    remember_one(SUBSCRIBER("'pid': 1, " TRUNCATED, "'u': {'event_count': 4}"));
    assert_topics("s=1 u=4");
    /* An entry that isn't there is gone, if nothing was left out. */
    remember_one(SUBSCRIBER("'pid': 1", "'u': {'event_count': 5}"));
    assert_topics("u=5");
}

static void test_counts_that_are_not_told_are_kept(void **state)
{
    (void)state;
    remember_one(SUBSCRIBER("'pid': 1", "'s': {'event_count': 1, 'missed_event_count': 7}"));
    remember_one(SUBSCRIBER("'pid': 1", "'s': {'event_count': 2, 'missed_event_count': null}"));
    assert_topics("s=2");
    assert_int_equal(last_of("a")->response->subscriptions[0].counts.missed_event_count, 7);
}

static void test_of_another_process_nothing_is_kept(void **state)
{
    (void)state;
    static const char *const others[] = {
        SUBSCRIBER("'pid': 2, " TRUNCATED, "'t': {'event_count': 3}"),
        /* In a container, each process may have the same pid. */
        SUBSCRIBER("'pid': 1, 'attached': '2026-01-01T00:00:01.000+00:00', " TRUNCATED,
                   "'t': {'event_count': 3}"),
    };
    for (size_t i = 0; i < 2; i++) {
        remember_one(SUBSCRIBER("'pid': 1, 'attached': '2026-01-01T00:00:00.000+00:00'",
                                "'s': {'event_count': 1}"));
        remember_one(others[i]);
        assert_topics("t=3");
    }
}

static void test_of_another_kind_of_answer_nothing_is_kept(void **state)
{
    (void)state;
    remember_one("{'version': 1, 'server': null, 'client': {'event_callbacks': {'s': "
                 "{'event_count': 1, 'lost_event_count': 7}}}}");
    remember_one(SUBSCRIBER(TRUNCATED, "'t': {'event_count': 3}"));
    assert_topics("t=3");
}

static void test_a_failure_in_between_changes_nothing_of_that(void **state)
{
    (void)state;
    remember_one(SUBSCRIBER("'pid': 1", "'s': {'event_count': 1}"));
    remember_one(NULL);
    remember_one(SUBSCRIBER("'pid': 1, " TRUNCATED, "'t': {'event_count': 3}"));
    assert_topics("s=1 t=3");
}

static void test_published_streams_that_were_left_out_are_kept(void **state)
{
    (void)state;
    remember_one(PUBLISHER(1, "'s': 1, 't': 2"));
    remember_one("{'version': 1, 'agent': {'pid': 1, 'truncated': {'event_counters': 1}}, "
                 "'server': {'event_counters': {'t': 3}}, 'client': null}");
    const response_t *response = last_of("a")->response;
    assert_int_equal(response->publisher_count, 2);
    assert_string_equal(response->publishers[0].name, "s");
    assert_int_equal(response->publishers[0].counts.pushed_event_count, 1);
    assert_int_equal(response->publishers[1].counts.pushed_event_count, 3);
}

static void test_channels_that_were_left_out_are_kept(void **state)
{
    (void)state;
    remember_one("{'version': 1, 'agent': {'pid': 1}, 'client': {'event_channels': {'a': "
                 "{'endpoint': 'x', 'event_endpoint': 'y', 'last_heartbeat': 't', "
                 "'heartbeat_count': 4}, 'b': {'heartbeat_count': 5}}}}");
    remember_one("{'version': 1, 'agent': {'pid': 1, 'truncated': {'event_channels': 1}}, "
                 "'client': {'event_channels': {'b': {'heartbeat_count': null}}}}");
    const response_t *response = last_of("a")->response;
    assert_int_equal(response->channel_count, 2);
    const response_channel_t *a = &response->channels[0];
    assert_string_equal(a->name, "a");
    assert_string_equal(a->endpoint, "x");
    assert_string_equal(a->event_endpoint, "y");
    assert_string_equal(a->last_heartbeat, "t");
    assert_int_equal(a->counts.heartbeat_count, 4);
    assert_int_equal(response->channels[1].counts.heartbeat_count, 5);
}

static void test_no_more_is_believed_to_be_left_out_than_is_kept(void **state)
{
    (void)state;
    assert_int_equal(continuity_left_out(0, 10), 0);
    assert_int_equal(continuity_left_out(5, 10), 5);
    assert_int_equal(continuity_left_out(INT64_MAX, 10), CONTINUITY_MAXIMUM_KEPT - 10);
    assert_int_equal(continuity_left_out(5, CONTINUITY_MAXIMUM_KEPT - 2), 2);
    assert_int_equal(continuity_left_out(5, CONTINUITY_MAXIMUM_KEPT), 0);
    assert_int_equal(continuity_left_out(5, CONTINUITY_MAXIMUM_KEPT + 10), 0);
}

/* Another order each time, and new ones in between. */
static void test_many_servers_in_any_order(void **state)
{
    (void)state;
    enum { MANY = 300 };
    told_t told[MANY];
    char names[MANY][32];
    for (size_t round = 1; round <= 3; round++) {
        const size_t count = round * MANY / 3;
        for (size_t i = 0; i < count; i++) {
            snprintf(names[i], sizeof names[i], "server %zu", (i * 7 + round) % count);
            told[i] = (told_t){names[i], "{'version': 1}"};
        }
        remember(count, told);
        const snapshot_t *previous = history_previous(history);
        assert_int_equal(previous->reply_count, count);
        for (size_t i = 0; i < count; i++)
            assert_string_equal(snapshot_find(previous, names[i], i)->server, names[i]);
    }
    assert_null(snapshot_find(history_previous(history), "server", 0));
}

#define HISTORY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HISTORY_TEST(test_nothing_at_first),
        HISTORY_TEST(test_the_last_answer_of_each),
        HISTORY_TEST(test_when_it_was_asked),
        HISTORY_TEST(test_neither_text_nor_samples),
        HISTORY_TEST(test_one_that_fails_keeps_its_last_answer),
        HISTORY_TEST(test_one_that_never_answered_has_none),
        HISTORY_TEST(test_servers_are_known_by_their_names),
        HISTORY_TEST(test_many_servers_in_any_order),
        HISTORY_TEST(test_what_was_left_out_is_kept),
        HISTORY_TEST(test_counts_that_are_not_told_are_kept),
        HISTORY_TEST(test_of_another_process_nothing_is_kept),
        HISTORY_TEST(test_of_another_kind_of_answer_nothing_is_kept),
        HISTORY_TEST(test_a_failure_in_between_changes_nothing_of_that),
        HISTORY_TEST(test_published_streams_that_were_left_out_are_kept),
        HISTORY_TEST(test_channels_that_were_left_out_are_kept),
        HISTORY_TEST(test_no_more_is_believed_to_be_left_out_than_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
