/* The rules of connections, with answers made up. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cmocka_all.h"
#include "observing.h"

#define SUB     "dserver/Sub/1"
#define PUB     "dserver/Pub/1"
#define CHANNEL "tango://old:1/dserver/pub/1"

static observing_t *run;

static int setup(void **state)
{
    (void)state;
    run = observing_new(NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    observing_destroy(&run);
    return 0;
}

#define PUSHES(host, count, more)                                                                  \
    "{'version': 1, 'agent': {'pid': 1, 'attached': 'x', 'time': '2026-03-01T12:20:00+00:00'}, "   \
    "'server': {'event_streams': {'tango://" host "/a/b/c/x.change': {'pushed_event_count': "      \
    "" #count ", " more "}}}}"

/* A subscriber to x of the host "old:1". */
#define EXPECTS(count, more, heartbeats)                                                           \
    "{'version': 1, 'agent': {'pid': 2, 'attached': 'y', 'time': '2026-03-01T12:20:00+00:00'}, "   \
    "'client': {'event_callbacks': {'tango://old:1/a/b/c/x.idl5_change': {'channel_name': "        \
    "'" CHANNEL "', 'callback_count': 1, 'event_count': " #count ", " more                         \
    "}}, 'event_channels': {'" CHANNEL "': {'endpoint': 'tcp://127.0.0.1:2', "                     \
    "'missed_heartbeat_count': 0, " heartbeats "}}}}"

#define ALIVE  "'heartbeat_count': 3, 'last_heartbeat': '2026-03-01T12:19:55+00:00'"
#define DEAD   "'heartbeat_count': 3, 'last_heartbeat': '2026-03-01T12:19:20+00:00'"
#define SILENT "'heartbeat_count': 0, 'last_heartbeat': null"
#define RENEWED                                                                                    \
    "'last_event': '2026-03-01T12:00:00+00:00', 'last_resubscribed': '2026-03-01T12:00:10+00:00'"
#define NOT_RENEWED "'last_event': '2026-03-01T12:00:00+00:00', 'last_resubscribed': null"
#define RECEIVED_AGAIN                                                                             \
    "'last_event': '2026-03-01T12:00:11+00:00', 'last_resubscribed': '2026-03-01T12:00:10+00:00'"

static void poll(const char *publisher, const char *subscriber)
{
    observing_poll(run, (const char *[]){PUB, publisher, SUB, subscriber, NULL});
}

/* ---- name-mismatch ---- */

static void a_stream_is_expected_under_another_host_name(void **state)
{
    (void)state;
    const char *subscriber = EXPECTS(5, RENEWED, SILENT);
    poll(PUSHES("new:1", 10, "'has_subscribers': true"), subscriber);
    poll(PUSHES("new:1", 12, "'has_subscribers': true"), subscriber);
    observing_assert_none(run, "name-mismatch"); /* after 10 s */
    poll(PUSHES("new:1", 17, "'has_subscribers': true"), subscriber);
    const finding_t *found =
        observing_assert(run, "name-mismatch",
                         "a/b/c/x.change no longer reaches " SUB ": " PUB
                         " pushes it under the host name new:1, but it is expected under old:1");
    assert_int_equal(found->events, 7);
    assert_string_equal(found->about.stream, "tango://old:1/a/b/c/x.change");
    assert_string_equal(found->about.publisher, PUB);
    assert_string_equal(found->about.subscriber, SUB);
    assert_non_null(strstr(found->advice, "TANGO_HOST=old:1"));
    /* That is what is wrong, and not the endpoint. */
    for (int i = 0; i < 4; i++)
        poll(PUSHES("new:1", 17, "'has_subscribers': true"), subscriber);
    observing_assert_none(run, "unreachable-endpoint");
    observing_assert_none(run, "silent-channel");
}

static void names_that_may_be_of_others(void **state)
{
    (void)state;
    static const struct {
        const char *publisher;
        const char *subscriber;
    } silent[] = {
        {PUSHES("old:1", 10, "'has_subscribers': true"), EXPECTS(5, RENEWED, SILENT)},
        {PUSHES("new:2", 10, "'has_subscribers': true"), EXPECTS(5, RENEWED, SILENT)},
        {PUSHES("new:1", 10, "'has_subscribers': true"), EXPECTS(5, RENEWED, ALIVE)},
        {PUSHES("new:1", 10, "'has_subscribers': true"), EXPECTS(5, NOT_RENEWED, SILENT)},
        {PUSHES("new:1", 10, "'has_subscribers': true"), EXPECTS(5, RECEIVED_AGAIN, SILENT)},
    };
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++) {
        for (int j = 0; j < 4; j++)
            poll(silent[i].publisher, silent[i].subscriber);
        observing_assert_none(run, "name-mismatch");
    }
}

/* ---- expired ---- */

#define FORGOTTEN "'has_subscribers': false, 'last_subscription': '2026-03-01T12:08:00+00:00'"

static void a_subscription_that_is_not_confirmed(void **state)
{
    (void)state;
    const char *subscriber = EXPECTS(5, NOT_RENEWED, ALIVE);
    poll(PUSHES("old:1", 10, FORGOTTEN), subscriber);
    observing_assert_none(run, "expired");
    poll(PUSHES("old:1", 10, FORGOTTEN), subscriber);
    const finding_t *found =
        observing_assert(run, "expired",
                         PUB " no longer pushes a/b/c/x.change, though " SUB
                             " listens: its subscription hasn't been confirmed for 720 s");
    assert_string_equal(found->about.server, PUB);
    assert_string_equal(found->about.subscriber, SUB);
    assert_true(observing_has_evidence(found, "heartbeats go on"));
}

static void a_subscription_that_was_never_confirmed(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        poll(PUSHES("old:1", 10, "'has_subscribers': false"), EXPECTS(5, NOT_RENEWED, ALIVE));
    observing_assert(run, "expired",
                     PUB " no longer pushes a/b/c/x.change, though " SUB
                         " listens: its subscription was never confirmed");
}

static void streams_that_nobody_listens_to(void **state)
{
    (void)state;
    static const struct {
        const char *publisher;
        const char *subscriber;
    } silent[] = {
        {PUSHES("old:1", 10, "'has_subscribers': true"), EXPECTS(5, NOT_RENEWED, ALIVE)},
        {PUSHES("old:1", 10, "'has_subscribers': null"), EXPECTS(5, NOT_RENEWED, ALIVE)},
        {PUSHES("new:1", 10, FORGOTTEN), EXPECTS(5, NOT_RENEWED, ALIVE)},
        {PUSHES("old:1", 10, FORGOTTEN), /* a dead channel */
         EXPECTS(5, NOT_RENEWED, DEAD)},
        {PUSHES("old:1", 10, FORGOTTEN), "{'version': 1, 'client': {'event_callbacks': {}}}"},
    };
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++) {
        poll(silent[i].publisher, silent[i].subscriber);
        poll(silent[i].publisher, silent[i].subscriber);
        observing_assert_none(run, "expired");
    }
}

/* ---- never-pushed ---- */

static void streams_that_were_never_pushed(void **state)
{
    (void)state;
    const char *publisher =
        "{'version': 1, 'agent': {'pid': 1}, 'server': {'event_streams': {"
        "'tango://h:1/a/b/c/w.change': {'pushed_event_count': 3, 'has_subscribers': true}, "
        "'tango://h:1/a/b/c/x.change': {'pushed_event_count': 0, 'has_subscribers': true}, "
        "'tango://h:1/a/b/c/y.change': {'pushed_event_count': 0, 'has_subscribers': false}, "
        "'tango://h:1/a/b/c/z.change': {'pushed_event_count': 0, 'has_subscribers': true}}}}";
    for (int i = 0; i < 360; i++) { /* a poll every 10 s */
        observing_poll(run, (const char *[]){PUB, publisher, NULL});
        observing_assert_none(run, "never-pushed");
    }
    observing_poll(run, (const char *[]){PUB, publisher, NULL});
    const finding_t *found = observing_assert(
        run, "never-pushed",
        "somebody listens to a/b/c/x.change and 1 more stream, and " PUB " has never pushed them");
    assert_true(observing_has_evidence(found, "a/b/c/z.change"));
    assert_int_equal(found->evidence_count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stream_is_expected_under_another_host_name, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(names_that_may_be_of_others, setup, teardown),
        cmocka_unit_test_setup_teardown(a_subscription_that_is_not_confirmed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_subscription_that_was_never_confirmed, setup, teardown),
        cmocka_unit_test_setup_teardown(streams_that_nobody_listens_to, setup, teardown),
        cmocka_unit_test_setup_teardown(streams_that_were_never_pushed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
