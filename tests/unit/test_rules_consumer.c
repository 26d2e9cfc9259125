/* The rules of the consumer thread, with answers made up. */
#include <stdlib.h>

#include "base/memory.h"
#include "cmocka_all.h"
#include "observing.h"

#define SUB    "dserver/Sub/1"
#define PUB    "dserver/Pub/1"
#define STREAM "tango://h:1/a/b/c/x.change"
#define TOPIC  "tango://h:1/a/b/c/x.idl5_change"
#define OTHER  "tango://h:1/a/b/c/y.idl5_change"

/* A subscriber with our agent; counts and thread are what a test is about. */
#define SUBSCRIBER(counts, other, thread)                                                          \
    "{'version': 1, 'agent': {'pid': 7, 'attached': 'x'}, 'client': {'event_callbacks': {'" TOPIC  \
    "': {'channel_name': '" PUB "', " counts "}, '" OTHER "': {'channel_name': 'dserver/Pub/2', "  \
    "" other "}}, 'event_channels': {'" PUB "': {'endpoint': 'tcp://h:2'}, 'dserver/Pub/2': "      \
    "{'endpoint': 'tcp://h:3'}}, 'consumer_thread': {" thread "}}}"
#define POLLING "'state': 'polling', 'topic': null, 'state_micros': 5000000, 'delayed_micros': null"
#define CALLBACK(micros)                                                                           \
    "'state': 'callbacks', 'topic': '" TOPIC "', 'state_micros': " #micros                         \
    ", 'delayed_micros': null, 'since': 's'"

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

static void poll(const char *answer)
{
    observing_poll(run, (const char *[]){SUB, answer, NULL});
}

/* ---- stuck-callback ---- */

static void a_callback_that_does_not_return(void **state)
{
    (void)state;
    poll(SUBSCRIBER("'event_count': 1", "'event_count': 1", CALLBACK(9900000)));
    observing_assert_none(run, "stuck-callback");
    poll(SUBSCRIBER("'event_count': 1", "'event_count': 1", CALLBACK(19900000)));
    const finding_t *found =
        observing_assert(run, "stuck-callback",
                         "a callback for " STREAM " has been running for 20 s in " SUB
                         ": 1 other stream waits for it");
    assert_string_equal(found->about.stream, STREAM);
    assert_string_equal(found->about.publisher, PUB);
    assert_int_equal(found->since.tv_sec, run->time - 20);
    assert_true(observing_has_evidence(found, "for 19.9 s"));
    assert_int_equal(found->state, FINDING_BEGAN);
    poll(SUBSCRIBER("'event_count': 1", "'event_count': 1", CALLBACK(29900000)));
    assert_int_equal(observing_find(run, "stuck-callback")->state, FINDING_LASTS);
    poll(SUBSCRIBER("'event_count': 1", "'event_count': 1", POLLING));
    assert_int_equal(observing_find(run, "stuck-callback")->state, FINDING_ENDED);
}

static void a_thread_that_does_nothing_for_long_is_not_stuck(void **state)
{
    (void)state;
    poll(SUBSCRIBER("'event_count': 1", "'event_count': 1",
                    "'state': 'polling', 'topic': null, 'state_micros': 900000000"));
    poll("{'version': 1, 'client': {'event_callbacks': {}}}");
    observing_assert_none(run, "stuck-callback");
    observing_assert_none(run, "delayed");
}

/* A topic that isn't in the list, and times that make no sense. */
static void hostile_numbers(void **state)
{
    (void)state;
    static const char *const micros[] = {"1e300", "-5", "null", "9223372036854775807"};
    for (size_t i = 0; i < sizeof micros / sizeof *micros; i++) {
        char *answer = memory_format(
            "{'version': 1, 'agent': {'pid': 7}, 'client': {'event_callbacks': {}, "
            "'consumer_thread': {'state': 'callbacks', 'topic': 'x', 'state_micros': %s, "
            "'delayed_micros': %s, 'longest_callback_micros': %s}}}",
            micros[i], micros[i], micros[i]);
        poll(answer);
        free(answer);
    }
    const finding_t *found = observing_find(run, "stuck-callback");
    assert_non_null(found);
    assert_true(found->since.tv_sec <= run->time);
}

/* As when it is found by --follow, or doesn't answer at first. */
static void a_publisher_that_gets_another_name(void **state)
{
    (void)state;
    const char *stuck = SUBSCRIBER("'event_count': 1", "'event_count': 1", CALLBACK(19900000));
    observing_poll(run, (const char *[]){SUB, stuck, NULL});
    const finding_t *found = observing_find(run, "stuck-callback");
    assert_string_equal(found->about.publisher, PUB);
    const char *publisher = "{'version': 1, 'agent': {'pid': 8}, 'server': "
                            "{'event_streams': {'" STREAM "': {'pushed_event_count': 2}}}}";
    observing_poll(run, (const char *[]){SUB, stuck, "dserver/p/1", publisher, NULL});
    assert_ptr_equal(observing_find(run, "stuck-callback"), found);
    assert_string_equal(found->about.publisher, "dserver/p/1");
    assert_int_equal(found->state, FINDING_LASTS);
}

/* ---- delayed ---- */

static void a_subscription_that_does_not_come_to_an_end(void **state)
{
    (void)state;
    poll(SUBSCRIBER("'event_count': 1", "'event_count': 1",
                    "'state': 'polling', 'topic': null, 'state_micros': 4, 'delayed_micros': "
                    "4900000"));
    observing_assert_none(run, "delayed");
    poll(SUBSCRIBER("'event_count': 1", "'event_count': 1",
                    "'state': 'polling', 'topic': null, 'state_micros': 4, 'delayed_micros': "
                    "14900000"));
    const finding_t *found = observing_assert(run, "delayed",
                                              SUB " has received nothing for 15 s: it is making a "
                                                  "subscription, and that doesn't finish");
    assert_int_equal(found->since.tv_sec, run->time - 15);
    assert_true(observing_has_evidence(found, "no callback is running"));
    poll(SUBSCRIBER("'event_count': 1", "'event_count': 1",
                    "'state': 'callbacks', 'topic': '" TOPIC "', 'state_micros': 26000000, "
                    "'delayed_micros': 24900000"));
    observing_assert(run, "delayed",
                     SUB " has received nothing for 25 s: it is making a subscription, while a "
                         "callback for " STREAM " is running");
}

/* ---- slow-callback ---- */

#define TOOK(count, nanos)                                                                         \
    "'event_count': " #count ", 'processing_histogram': {'buckets': [[8000000, 9000000, " #count   \
    "]], 'count': " #count ", 'sum_nanos': " #nanos ", 'max_nanos': 9000000}"

static void callbacks_that_take_nearly_all_of_the_time(void **state)
{
    (void)state;
    poll(SUBSCRIBER(TOOK(1000, 8500000000), TOOK(10, 100000000), POLLING));
    poll(SUBSCRIBER(TOOK(2000, 17000000000), TOOK(20, 200000000), POLLING));
    observing_assert_none(run, "slow-callback");
    poll(SUBSCRIBER(TOOK(3000, 25500000000), TOOK(30, 300000000), POLLING));
    const finding_t *found =
        observing_assert(run, "slow-callback",
                         "callbacks take 86 % of the time of " SUB ", those for " STREAM
                         " 85 %: 8.5 ms each at 100/s, while everything else waits");
    assert_true(observing_has_evidence(found, OTHER ": 1.0 % of the time, 10 events"));
}

static void callbacks_that_leave_time_for_others(void **state)
{
    (void)state;
    poll(SUBSCRIBER(TOOK(1000, 7500000000), TOOK(10, 85000000), POLLING));
    poll(SUBSCRIBER(TOOK(2000, 15000000000), TOOK(20, 170000000), POLLING));
    poll(SUBSCRIBER(TOOK(3000, 22500000000), TOOK(20, 170000000), POLLING));
    observing_assert_none(run, "slow-callback");
    /* One busy moment isn't enough. */
    poll(SUBSCRIBER(TOOK(4000, 32000000000), TOOK(20, 170000000), POLLING));
    poll(SUBSCRIBER(TOOK(4001, 32000000001), TOOK(20, 170000000), POLLING));
    observing_assert_none(run, "slow-callback");
}

static char *built_in(int count, int samples, double micros)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    fprintf(out,
            "{'version': 1, 'client': {'event_callbacks': {'" TOPIC "': {'event_count': %d, "
            "'server_counter': %d}}, 'perf': [",
            count, count);
    for (int i = 0; i < samples; i++)
        fprintf(out, "%s{'attr_name': '%s', 'process_micros': %g, 'discarded': false}",
                i > 0 ? ", " : "", i % 5 == 0 ? "y" : "x", micros);
    fputs("]}}", out);
    memory_stream_close(out);
    return text;
}

/* They are of the newest 256 events only. */
static void samples_of_the_built_in_command(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        char *answer = built_in(1000 * i, 200, 9000);
        poll(answer);
        free(answer);
    }
    const finding_t *found =
        observing_assert(run, "slow-callback",
                         "callbacks take 90 % of the time of " SUB
                         ", those for x 72 %: 9 ms each at 80/s, while everything else waits");
    assert_true(observing_has_evidence(found, "estimated from samples"));
    for (int i = 3; i < 6; i++) {
        char *answer = built_in(1000 * i, 200, 7000);
        poll(answer);
        free(answer);
    }
    observing_assert_none(run, "slow-callback");
    for (int i = 0; i < 3; i++) {
        char *answer = built_in(1000000 * i, 9, 9000);
        poll(answer);
        free(answer);
    }
    observing_assert_none(run, "slow-callback");
}

/* Polled every second, and busy for so many seconds. */
static void be_busy_for(size_t seconds)
{
    const char *const pushing =
        "{'version': 1, 'agent': {'pid': 8, 'attached': 'x'}, 'server': {'event_streams': {'" STREAM
        "': {'pushed_event_count': 900}}}}";
    run->period = 1;
    for (size_t i = 0; i <= seconds; i++) {
        char *busy = memory_format(
            SUBSCRIBER("'event_count': %zu, 'server_counter': %zu, 'lost_event_count': 0",
                       "'event_count': 1", CALLBACK(100)),
            i + 1, i + 1);
        observing_poll(run, (const char *[]){SUB, busy, PUB, pushing, NULL});
        free(busy);
    }
}

static void a_burst_that_takes_some_seconds_is_no_slow_callback(void **state)
{
    (void)state;
    be_busy_for(5);
    observing_assert_none(run, "slow-callback");
}

static void more_than_a_burst(void **state)
{
    (void)state;
    be_busy_for(8);
    assert_non_null(observing_find(run, "slow-callback"));
}

static void without_monitoring_it_takes_events_that_wait(void **state)
{
    (void)state;
#define PUSHED(count)                                                                              \
    "{'version': 1, 'agent': {'pid': 8, 'attached': 'x'}, 'server': {'event_streams': {'" STREAM   \
    "': {'pushed_event_count': " #count "}}}}"
#define RECEIVED(count, thread)                                                                    \
    SUBSCRIBER("'event_count': " #count ", 'server_counter': " #count ", 'lost_event_count': 0",   \
               "'event_count': 1", thread)
    const char *const busy[][2] = {
        {PUSHED(100), RECEIVED(100, CALLBACK(100))},   {PUSHED(400), RECEIVED(150, CALLBACK(100))},
        {PUSHED(900), RECEIVED(200, CALLBACK(100))},   {PUSHED(1400), RECEIVED(250, CALLBACK(100))},
        {PUSHED(1400), RECEIVED(1400, CALLBACK(100))},
    };
    for (size_t i = 0; i < 4; i++) {
        observing_assert_none(run, "slow-callback");
        observing_poll(run, (const char *[]){SUB, busy[i][1], PUB, busy[i][0], NULL});
    }
    const finding_t *found =
        observing_assert(run, "slow-callback",
                         SUB " was in a callback at each of the last polls, now in one for " STREAM
                             ", and 650 events haven't arrived");
    assert_non_null(found->advice);
    /* In callbacks, and all has arrived. */
    for (size_t i = 0; i < 3; i++)
        observing_poll(run, (const char *[]){SUB, busy[4][1], PUB, busy[4][0], NULL});
    observing_assert_none(run, "slow-callback");
#undef PUSHED
#undef RECEIVED
}

/* ---- late-heartbeats ---- */

#define CHANNELS(one, one_missed, two, two_missed, longest)                                        \
    "{'version': 1, 'agent': {'pid': 7, 'attached': 'x'}, 'client': {'event_callbacks': {}, "      \
    "'event_channels': {'p': {'heartbeat_count': " #one ", 'missed_heartbeat_count': " #one_missed \
    "}, 'q': {'heartbeat_count': " #two ", 'missed_heartbeat_count': " #two_missed                 \
    "}}, 'consumer_thread': {'state': 'polling', 'topic': null, 'longest_callback_micros': "       \
    "" #longest ", 'longest_callback_topic': '" TOPIC "'}}}"

static void all_heartbeats_late_because_of_a_callback(void **state)
{
    (void)state;
    poll(CHANNELS(5, 0, 7, 0, 300));
    poll(CHANNELS(6, 0, 8, 0, 300));
    poll(CHANNELS(9, 2, 11, 1, 25000000));
    const finding_t *found =
        observing_assert(run, "late-heartbeats",
                         "all heartbeats to " SUB
                         " (2 channels) came late, because a callback for " STREAM " took 25 s");
    assert_true(observing_has_evidence(found, "3 heartbeats hadn't arrived"));
    /* It was so some time ago. */
    poll(CHANNELS(10, 2, 12, 1, 25000000));
    poll(CHANNELS(11, 3, 13, 2, 25000000));
    poll(CHANNELS(12, 3, 14, 2, 25000000));
    assert_int_equal(observing_find(run, "late-heartbeats")->state, FINDING_ENDED);
}

static void heartbeats_late_for_other_reasons(void **state)
{
    (void)state;
    poll(CHANNELS(5, 0, 7, 0, 300));
    poll(CHANNELS(6, 2, 8, 0, 25000000)); /* of one publisher only */
    observing_assert_none(run, "late-heartbeats");
    poll(CHANNELS(7, 3, 9, 1, 25000000)); /* no callback since then */
    observing_assert_none(run, "late-heartbeats");
    poll(CHANNELS(8, 3, 10, 1, 30000000)); /* a callback, and none was late */
    observing_assert_none(run, "late-heartbeats");
    poll(CHANNELS(8, 4, 10, 2, 40000000)); /* none came at all */
    observing_assert_none(run, "late-heartbeats");
}

/* ---- error-events ---- */

#define ERRORS(events, errors)                                                                     \
    SUBSCRIBER("'event_count': " #events ", 'error_event_count': " #errors                         \
               ", 'missed_event_count': 2, 'last_error_event': 'then'",                            \
               "'event_count': 1", POLLING)

static void errors_instead_of_values(void **state)
{
    (void)state;
    poll(ERRORS(10, 5)); /* from before */
    poll(ERRORS(20, 6));
    poll(ERRORS(30, 6));
    poll(ERRORS(40, 7));
    observing_assert_none(run, "error-events");
    poll(ERRORS(50, 9));
    const finding_t *found =
        observing_assert(run, "error-events",
                         "4 events of " STREAM " reached " SUB " with an error instead of a value");
    assert_int_equal(found->events, 4);
    assert_int_equal(found->since.tv_sec, run->time - 30);
    assert_string_equal(found->about.publisher, PUB);
    assert_true(observing_has_evidence(found, "since the previous poll: 2 of 10 events"));
    assert_true(
        observing_has_evidence(found, "since it subscribed: 9 of 50 events, the last one at then"));
    assert_true(observing_has_evidence(found, "for each gap (2)"));
    for (int i = 0; i < 6; i++)
        poll(ERRORS(50, 9));
    assert_int_equal(observing_find(run, "error-events")->state, FINDING_ENDED);
}

/* One now and then isn't one after the other. */
static void a_bad_reading_now_and_then(void **state)
{
    (void)state;
    poll(ERRORS(10, 0));
#define QUIET(events, errors)                                                                      \
    for (int i = 0; i < 8; i++)                                                                    \
        poll(ERRORS(events, errors));
    QUIET(20, 1)
    QUIET(30, 2)
    QUIET(40, 3)
    QUIET(50, 4)
#undef QUIET
    observing_assert_none(run, "error-events");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(a_callback_that_does_not_return),
        TEST(a_publisher_that_gets_another_name),
        TEST(a_thread_that_does_nothing_for_long_is_not_stuck),
        TEST(hostile_numbers),
        TEST(a_subscription_that_does_not_come_to_an_end),
        TEST(callbacks_that_take_nearly_all_of_the_time),
        TEST(callbacks_that_leave_time_for_others),
        TEST(samples_of_the_built_in_command),
        TEST(a_burst_that_takes_some_seconds_is_no_slow_callback),
        TEST(more_than_a_burst),
        TEST(without_monitoring_it_takes_events_that_wait),
        TEST(all_heartbeats_late_because_of_a_callback),
        TEST(heartbeats_late_for_other_reasons),
        TEST(errors_instead_of_values),
        TEST(a_bad_reading_now_and_then),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
