/* Answers of agents that came late, or again, and of clients, which come and go. */
#include "cmocka_all.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "monitor/view/agent_since.h"
#include "observing.h"

#define PUB    "dserver/pub/1"
#define SUB    "dserver/sub/1"
#define HOST   "tango://h:1/"
#define STREAM HOST "a/b/c/x.change"
#define TOPIC  HOST "a/b/c/x.idl5_change"

static observing_t *self;

static int setup(void **state)
{
    (void)state;
    self = observing_new(NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    observing_destroy(&self);
    return 0;
}

static void poll_two(const char *publisher, const char *subscriber)
{
    observing_poll(self, (const char *const[]){PUB, publisher, SUB, subscriber, NULL});
}

static void poll_one(const char *server, const char *answer)
{
    observing_poll(self, (const char *const[]){server, answer, NULL});
}

/* ---- answers ---- */

/* Times of one day, as of an agent: process_started 08:00, unless given. */
#define AT(time) "2026-03-01T" time ".000000+00:00"

#define AGENT(loaded, started, attached, time)                                                     \
    "'agent': {'version': '1', 'pid': 7, 'loaded': '" loaded "', 'process_started': '" AT(         \
        started) "', 'attached': '" AT(attached) "', 'time': '" AT(time) "'"
#define LATE(attached, time) AGENT("late", "08:00:00", attached, time) "}"
#define FROM_START           AGENT("at start", "08:00:00", "08:00:01", "12:10:00") "}"

/* pushed: a number or null. */
#define PUBLISHER(agent, pushed)                                                                   \
    "{'version': 1, 'server': {'event_streams': {'" STREAM "': {'pushed_event_count': " pushed     \
    ", 'has_subscribers': null}}}, " agent "}"

#define SUBSCRIPTION(callbacks, counter, count, lost, last)                                        \
    "'" TOPIC "': {'channel_name': null, 'callback_count': " callbacks                             \
    ", 'server_counter': " counter ", 'event_count': " count ", 'missed_event_count': 0, "         \
    "'lost_event_count': " lost ", 'known_lost_event_count': " lost                                \
    ", 'discarded_event_count': 0, 'publisher_restart_count': 0, 'last_event': " last "}"
#define BUSY "'consumer_thread': {'state': 'callbacks', 'topic': 'x', 'state_micros': 5000}"
#define SUBSCRIBER(agent, subscriptions)                                                           \
    "{'version': 1, 'client': {'event_callbacks': {" subscriptions "}, " BUSY "}, " agent "}"

static const total_t *total_of(total_kind_t kind, const char *server)
{
    size_t count = 0;
    const total_t *const *rows = totals_rows(self->observation->totals, &count);
    for (size_t i = 0; i < count; i++)
        if (rows[i]->kind == kind && strcmp(rows[i]->server, server) == 0)
            return rows[i];
    return NULL;
}

static const server_part_t *part_of(size_t place)
{
    return &self->observation->comparison->parts[place];
}

/* But that the clocks differ: the answers' times are made up. */
static void assert_nothing(void)
{
    size_t count = 0;
    const finding_t *const *all = findings_of_run(self->observation->findings, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i]->rule->name, "clocks") != 0)
            fail_msg("%s: %s", all[i]->rule->name, all[i]->text);
}

/* ---- publishers ---- */

/* Its agent began after the last event that arrived, its process didn't. */
static void a_late_publisher_was_not_restarted(void **state)
{
    (void)state;
    const char *publisher = PUBLISHER(LATE("12:00:00", "12:10:00"), "100");
    const char *subscriber =
        SUBSCRIBER(FROM_START, SUBSCRIPTION("1", "90", "90", "0", "'" AT("11:59:00") "'"));
    poll_two(publisher, subscriber);
    poll_two(publisher, subscriber);
    poll_two(publisher, subscriber);
    const finding_t *finding = observing_find(self, "not-received");
    assert_non_null(finding);
    assert_int_equal(finding->events, 10);
    assert_null(strstr(finding->text, "restarted"));
}

static void a_stream_that_a_late_agent_finds_is_not_pushed_since(void **state)
{
    (void)state;
    poll_one(PUB,
             "{'version': 1, 'server': {'event_streams': {}}, " LATE("12:00:00", "12:00:05") "}");
    poll_one(PUB, PUBLISHER(LATE("12:00:00", "12:00:06"), "100001"));
    poll_one(PUB, PUBLISHER(LATE("12:00:00", "12:00:07"), "100004"));
    const total_t *total = total_of(TOTAL_PUBLISHED, PUB);
    assert_non_null(total);
    assert_int_equal(total->pushed.pushed_event_count, 3);
    assert_nothing();
}

/* Somebody subscribes to what was pushed long before: the count isn't known until the next event.
 */
static void a_count_that_is_not_known_loses_nothing(void **state)
{
    (void)state;
    poll_two(PUBLISHER(LATE("12:00:00", "12:00:05"), "null"),
             SUBSCRIBER(FROM_START, SUBSCRIPTION("1", "0", "0", "0", "null")));
    for (int i = 0; i < 3; i++)
        poll_two(
            PUBLISHER(LATE("12:00:00", "12:00:06"), "100001"),
            SUBSCRIBER(FROM_START, SUBSCRIPTION("1", "100001", "1", "0", "'" AT("12:00:06") "'")));
    assert_nothing();
    assert_int_equal(total_of(TOTAL_SUBSCRIBED, SUB)->received.lost_event_count, 0);
}

/* ---- subscribers ---- */

static void a_topic_that_a_late_agent_finds_has_lost_nothing(void **state)
{
    (void)state;
    const char *none = "{'version': 1, 'client': null, " LATE("12:00:00", "12:00:01") "}";
    poll_two(PUBLISHER(FROM_START, "100"), none);
    poll_two(PUBLISHER(FROM_START, "103"),
             SUBSCRIBER(LATE("12:00:00", "12:00:11"),
                        SUBSCRIPTION("null", "103", "3", "0", "'" AT("12:00:10") "'")));
    poll_two(PUBLISHER(FROM_START, "103"),
             SUBSCRIBER(LATE("12:00:00", "12:00:21"),
                        SUBSCRIPTION("null", "103", "3", "0", "'" AT("12:00:10") "'")));
    assert_nothing();
    const total_t *total = total_of(TOTAL_SUBSCRIBED, SUB);
    assert_int_equal(total->received.event_count, 3);
    assert_int_equal(total->received.lost_event_count, 0);
    assert_int_equal(total->restarts, 0);
}

/* Event 101 came between the publisher's answer and the moment at which the agent did. */
static void what_came_just_before_the_agent_is_not_lost(void **state)
{
    (void)state;
    poll_two(PUBLISHER(FROM_START, "100"),
             SUBSCRIBER(LATE("12:00:00", "12:00:00"), SUBSCRIPTION("null", "0", "0", "0", "null")));
    for (int i = 0; i < 3; i++)
        poll_two(PUBLISHER(FROM_START, "102"),
                 SUBSCRIBER(LATE("12:00:00", "12:00:10"),
                            SUBSCRIPTION("null", "102", "1", "0", "'" AT("12:00:09") "'")));
    assert_nothing();
    assert_int_equal(total_of(TOTAL_SUBSCRIBED, SUB)->received.lost_event_count, 0);
}

static void what_a_late_agent_has_not_seen_subscribed_is_no_stray(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        char *answer = memory_format(
            "{'version': 1, 'client': {}, " AGENT("late", "08:00:00", "12:00:00",
                                                  "12:00:05") ", 'unknown_topic_event_count': %d}}",
            10 * i);
        poll_one(SUB, answer);
        free(answer);
    }
    assert_nothing();
}

/* Its endpoint is a loopback address; but it may well have worked before the agent came. */
static void an_old_channel_without_heartbeats_is_silent(void **state)
{
    (void)state;
    const char *answer =
        "{'version': 1, 'client': {'event_callbacks': {'" TOPIC "': {'channel_name': 'c', "
        "'callback_count': null, 'event_count': 0, 'server_counter': 0}}, 'event_channels': {'c': "
        "{'endpoint': 'tcp://127.0.0.1:1', 'heartbeat_count': 0}}}, " LATE("12:00:00",
                                                                           "12:00:01") "}";
    for (int i = 0; i < 6; i++)
        poll_one(SUB, answer);
    observing_assert_none(self, "unreachable-endpoint");
    const finding_t *finding = observing_find(self, "silent-channel");
    assert_non_null(finding);
    assert_null(strstr(finding->text, "since it connected"));
    assert_true(
        observing_has_evidence(finding, "0 heartbeats received since the agent was attached"));
}

/* ---- processes ---- */

static void attached_again(void **state)
{
    (void)state;
    poll_two(PUBLISHER(FROM_START, "50"),
             SUBSCRIBER(LATE("12:00:00", "12:00:05"),
                        SUBSCRIPTION("null", "50", "20", "4", "'" AT("12:00:04") "'")));
    poll_two(PUBLISHER(FROM_START, "60"), SUBSCRIBER(LATE("12:01:00", "12:01:00"), ""));
    const changes_t *changes = part_of(1)->changes;
    assert_false(changes->server_restarted);
    assert_true(changes->attached_again && changes->counts_anew && changes->counters_restarted);
    /* It hasn't been seen yet: nobody has unsubscribed. */
    assert_int_equal(changes->subscription_count, 0);
    for (int i = 0; i < 3; i++)
        poll_two(PUBLISHER(FROM_START, "62"),
                 SUBSCRIBER(LATE("12:01:00", "12:01:05"),
                            SUBSCRIPTION("null", "62", "2", "1", "'" AT("12:01:04") "'")));
    assert_false(part_of(1)->changes->counts_anew);
    const total_t *total = total_of(TOTAL_SUBSCRIBED, SUB);
    assert_int_equal(total->received.event_count, 2);
    assert_int_equal(total->received.lost_event_count, 1);
    assert_int_equal(total_of(TOTAL_SERVER, SUB)->restarts, 0);
    observing_assert(self, "overflow",
                     "lost 1 of 3 on " STREAM " at 0/s: queue overflow, " PUB
                     " pushed faster than " SUB " read");
}

/* The publisher's counter goes on, and it is the same process. */
static void a_publisher_attached_again(void **state)
{
    (void)state;
    const char *subscriber =
        SUBSCRIBER(FROM_START, SUBSCRIPTION("1", "60", "60", "0", "'" AT("11:59:00") "'"));
    poll_two(PUBLISHER(LATE("12:00:00", "12:00:05"), "60"), subscriber);
    poll_two(PUBLISHER(LATE("12:01:00", "12:01:05"), "64"), subscriber);
    poll_two(PUBLISHER(LATE("12:01:00", "12:01:15"), "64"), subscriber);
    poll_two(PUBLISHER(LATE("12:01:00", "12:01:25"), "64"), subscriber);
    const finding_t *finding = observing_find(self, "not-received");
    assert_non_null(finding);
    assert_int_equal(finding->events, 4);
    assert_null(strstr(finding->text, "restarted"));
    assert_int_equal(total_of(TOTAL_SERVER, PUB)->restarts, 0);
}

/* In a container, with the same pid. */
static void restarted_and_attached(void **state)
{
    (void)state;
    poll_one(PUB, PUBLISHER(LATE("12:00:00", "12:00:05"), "60"));
    poll_one(PUB, PUBLISHER(AGENT("late", "12:01:00", "12:02:00", "12:02:05") "}", "5"));
    assert_true(part_of(0)->changes->server_restarted && !part_of(0)->changes->attached_again);
    assert_int_equal(total_of(TOTAL_PUBLISHED, PUB)->pushed.pushed_event_count, 5);
    poll_one(PUB, PUBLISHER(AGENT("at start", "12:03:00", "12:03:01", "12:03:05") "}", "2"));
    assert_true(part_of(0)->changes->server_restarted);
    assert_int_equal(total_of(TOTAL_SERVER, PUB)->restarts, 2);
}

static void since_when_it_knows_anything(void **state)
{
    (void)state;
    setenv("TZ", "UTC", 1);
    poll_one(PUB, PUBLISHER(LATE("12:00:04", "12:10:05"), "60"));
    char *text = agent_since_text(part_of(0)->reply->response);
    assert_string_equal(text, "since 12:00:04, in a process that has run since 08:00:00");
    free(text);
    poll_one(PUB, PUBLISHER(FROM_START, "60"));
    assert_null(agent_since_text(part_of(0)->reply->response));
}

/* ---- clients ---- */

static void a_client_ends(void **state)
{
    (void)state;
    const char *answer = SUBSCRIBER(FROM_START, SUBSCRIPTION("1", "3", "3", "0", "null"));
    static const char *const names[] = {"client:gui.py", "client:gui.py:4711"};
    for (size_t i = 0; i < 2; i++) {
        poll_one(names[i], answer);
        for (int j = 0; j < 4; j++)
            poll_one(names[i], "its process has ended");
    }
    assert_nothing();
}

static void a_client_hangs(void **state)
{
    (void)state;
    for (int j = 0; j < 4; j++)
        poll_one("client:gui.py", "no answer within 3 s");
    observing_assert(self, "no-answer", "no answer from client:gui.py within 3 s");
}

static void a_local_server_crashes(void **state)
{
    (void)state;
    for (int j = 0; j < 4; j++)
        poll_one("tango://h:1/dserver/pub/1", "its process has ended");
    observing_assert(self, "no-answer",
                     "no answer from tango://h:1/dserver/pub/1: its process has ended");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_late_publisher_was_not_restarted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stream_that_a_late_agent_finds_is_not_pushed_since, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_count_that_is_not_known_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_topic_that_a_late_agent_finds_has_lost_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_came_just_before_the_agent_is_not_lost, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_a_late_agent_has_not_seen_subscribed_is_no_stray,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(an_old_channel_without_heartbeats_is_silent, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(attached_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_publisher_attached_again, setup, teardown),
        cmocka_unit_test_setup_teardown(restarted_and_attached, setup, teardown),
        cmocka_unit_test_setup_teardown(since_when_it_knows_anything, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_hangs, setup, teardown),
        cmocka_unit_test_setup_teardown(a_local_server_crashes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
