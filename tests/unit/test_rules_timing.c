/* The rules of clocks and of what takes long, with answers made up. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/json_output.h"
#include "base/memory.h"
#include "cmocka_all.h"
#include "observing.h"

#define SUB    "dserver/Sub/1"
#define PUB    "dserver/Pub/1"
#define STREAM "tango://h:1/a/b/c/x.change"

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

/* ---- slow-push ---- */

/* So many took 200 ms, all others 1 ms. */
static void poll_pushed(int64_t count, int64_t slow)
{
    char *answer = memory_format(
        "{'version': 1, 'agent': {'pid': 8, 'attached': 'x'}, 'server': {'event_streams': {'" STREAM
        "': {'pushed_event_count': %" PRId64 ", 'byte_count': %" PRId64 ", 'push_event_histogram': "
        "{'buckets': [[900000, 1100000, %" PRId64 "], [190000000, 210000000, %" PRId64
        "]], 'count': %" PRId64 ", 'sum_nanos': 0, 'max_nanos': 0}}}}}",
        count, count * 8000040, count - slow, slow, count);
    observing_poll(run, (const char *[]){PUB, answer, NULL});
    free(answer);
}

static void pushing_takes_long(void **state)
{
    (void)state;
    poll_pushed(1000, 500); /* from before */
    poll_pushed(1020, 520);
    observing_assert_none(run, "slow-push");
    poll_pushed(1040, 537);
    const finding_t *found = observing_assert(
        run, "slow-push", "pushing " STREAM " takes up to 0.2 s, with 8 MB per event");
    assert_string_equal(found->about.publisher, PUB);
    assert_true(observing_has_evidence(found, "20 events since the previous poll: median 0.2 s"));
    assert_true(observing_has_evidence(found, "8 MB per event, 2 events/s"));
    poll_pushed(1041, 537);
    assert_int_equal(observing_find(run, "slow-push")->state, FINDING_ENDED);
}

/* The slowest of few events, or of very many. */
static void one_slow_push_proves_nothing(void **state)
{
    (void)state;
    poll_pushed(1000, 0);
    poll_pushed(1009, 1);
    poll_pushed(1029, 2);
    poll_pushed(2029, 9);
    poll_pushed(3029, 18);
    observing_assert_none(run, "slow-push");
}

static void poll_built_in(int samples, double micros)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    fputs("{'version': 1, 'server': {'event_counters': {'" STREAM "': 7}, 'perf': [", out);
    for (int i = 0; i < samples; i++)
        fprintf(out, "%s{'push_event_micros': %g}", i > 0 ? ", " : "", micros);
    fputs("]}}", out);
    memory_stream_close(out);
    observing_poll(run, (const char *[]){PUB, text, NULL});
    free(text);
}

static void samples_of_the_built_in_command_name_no_stream(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        poll_built_in(20, 150000);
    const finding_t *found = observing_find(run, "slow-push");
    assert_non_null(found);
    assert_null(found->about.stream);
    assert_true(observing_has_evidence(found, "only the agent can tell"));
    for (int i = 0; i < 3; i++)
        poll_built_in(20, 50000);
    observing_assert_none(run, "slow-push");
    for (int i = 0; i < 3; i++)
        poll_built_in(5, 150000);
    observing_assert_none(run, "slow-push");
}

/* ---- clocks ---- */

/* An answer of the time of the poll to come, that much later. */
static char *answer_at(double offset, const char *rest)
{
    char *text = NULL;
    size_t size = 0;
    const double time = (double)run->time + run->period + offset;
    const struct timespec when = {.tv_sec = (time_t)time,
                                  .tv_nsec = (long)((time - (double)(time_t)time) * 1e9)};
    FILE *out = memory_stream_open(&text, &size);
    json_output_t json = {.out = out};
    json_output_time(&json, NULL, &when);
    memory_stream_close(out);
    char *answer = memory_format(
        "{'version': 1, 'agent': {'pid': 8, 'attached': 'x', 'time': %s}%s}", text, rest);
    free(text);
    return answer;
}

static void poll_clocks(double first, double second, double third)
{
    char *answers[] = {answer_at(first, ""), answer_at(second, ""), answer_at(third, "")};
    observing_poll(run, (const char *[]){"dserver/a/1", answers[0], "dserver/b/1", answers[1],
                                         "dserver/c/1", answers[2], NULL});
    for (size_t i = 0; i < 3; i++)
        free(answers[i]);
}

static void a_clock_that_is_wrong(void **state)
{
    (void)state;
    poll_clocks(0.005, 3.21, 0.005);
    observing_assert_none(run, "clocks");
    poll_clocks(0.005, 3.21, 0.005);
    const finding_t *found = observing_assert(run, "clocks",
                                              "the clock of dserver/b/1 is 3.2 s ahead of the "
                                              "monitor's");
    assert_string_equal(found->about.server, "dserver/b/1");
    poll_clocks(0.005, 0.005, 0.005);
    assert_int_equal(observing_find(run, "clocks")->state, FINDING_ENDED);
    for (int i = 0; i < 2; i++)
        poll_clocks(0.005, -61.5, -61.495);
    observing_assert(run, "clocks",
                     "the clocks of dserver/b/1 and 1 other server are 61.5 s behind the "
                     "monitor's");
}

static void the_monitors_own_clock_is_wrong(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        poll_clocks(-0.8, -0.8, -0.801);
    observing_assert(run, "clocks",
                     "the clocks of all 3 servers are 0.8 s behind the monitor's: the monitor's "
                     "computer has the wrong time");
}

/* It isn't known when it looked at its clock. */
static void an_answer_that_took_long(void **state)
{
    (void)state;
    run->took = 2.5;
    for (int i = 0; i < 3; i++)
        poll_clocks(0.1, 2.4, 2.9);
    observing_assert_none(run, "clocks");
    for (int i = 0; i < 3; i++)
        poll_clocks(0.1, 2.4, 3.1);
    assert_non_null(observing_find(run, "clocks"));
}

static void what_says_no_time_has_no_clock(void **state)
{
    (void)state;
    static const char *const times[] = {"null", "''", "'yesterday'", "'1970-01-01T00:00:00'", "5"};
    for (size_t i = 0; i < 3; i++) {
        char *answer = memory_format("{'version': 1, 'agent': {'pid': 8, 'time': %s}}", times[i]);
        for (int j = 0; j < 3; j++)
            observing_poll(run, (const char *[]){PUB, answer, SUB, "{'version': 1}", NULL});
        free(answer);
        observing_assert_none(run, "clocks");
    }
}

/* Latencies of two streams: below zero, and of 5.1 s, and their sum. */
static char *latencies(int64_t negative, int64_t late, int64_t sum_nanos)
{
    return memory_format(
        ", 'client': {'event_callbacks': {'tango://h:1/a/b/c/x.idl5_change': {'channel_name': '" PUB
        "', 'event_count': %" PRId64 ", 'latency_histogram': {'buckets': [[null, 1024, %" PRId64
        "], [5000000000, 5200000000, %" PRId64 "]], 'count': %" PRId64 ", 'sum_nanos': %" PRId64
        "}}, 'tango://h:1/a/b/c/y.idl5_change': {'channel_name': '" PUB "', 'event_count': %" PRId64
        ", 'latency_histogram': {'buckets': [[5000000000, 5200000000, %" PRId64
        "]], 'count': %" PRId64 ", 'sum_nanos': %" PRId64 "}}}}",
        negative + late, negative, late, negative + late, sum_nanos, late, late, late,
        late * 5100000000);
}

static void poll_latencies(int64_t negative, int64_t late, int64_t sum_nanos, double our_clock,
                           const char *publisher)
{
    char *rest = latencies(negative, late, sum_nanos);
    char *answer =
        our_clock < -1e6
            ? memory_format("{'version': 1, 'agent': {'pid': 8, 'attached': 'x'}%s}", rest)
            : answer_at(our_clock, rest);
    observing_poll(run, (const char *[]){SUB, answer, publisher ? PUB : NULL, publisher, NULL});
    free(rest);
    free(answer);
}

#define NO_CLOCK (-1e9)

static void events_before_their_own_timestamps(void **state)
{
    (void)state;
    poll_latencies(50, 0, -1, NO_CLOCK, NULL);
    poll_latencies(60, 0, -20000000000, NO_CLOCK, NULL);
    observing_assert_none(run, "clocks");
    poll_latencies(70, 0, -40000000000, NO_CLOCK, NULL);
    const finding_t *found = observing_assert(
        run, "clocks",
        "events of " PUB " reach " SUB " 2 s before their own timestamps: the clocks differ, "
        "or the publisher's code sets them");
    assert_true(observing_has_evidence(found, "1 of 1 streams, 10 events since the previous poll"));
}

/* Below zero by less than clocks may differ; and very fast. */
static void latencies_of_almost_nothing(void **state)
{
    (void)state;
    poll_latencies(50, 0, 0, NO_CLOCK, NULL);
    poll_latencies(60, 0, -1000000000, NO_CLOCK, NULL);
    poll_latencies(70, 0, -2000000000, NO_CLOCK, NULL);
    poll_latencies(80, 0, -2000000000, NO_CLOCK, NULL);
    poll_latencies(90, 0, -2000000000, NO_CLOCK, NULL);
    observing_assert_none(run, "clocks");
}

static void events_always_as_late(void **state)
{
    (void)state;
    poll_latencies(0, 10, 51000000000, NO_CLOCK, NULL);
    poll_latencies(0, 20, 102000000000, NO_CLOCK, NULL);
    poll_latencies(0, 30, 153000000000, NO_CLOCK, NULL);
    observing_assert(run, "clocks",
                     "events of " PUB " always reach " SUB " about 5.1 s after their own "
                     "timestamps: the clocks differ, or the publisher's code sets them");
}

/* Where both clocks are known, they say it. */
static void clocks_that_agree(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 4; i++) {
        char *publisher =
            answer_at(0.002, ", 'server': {'event_streams': {'tango://h:1/a/b/c/x.change': "
                             "{'pushed_event_count': 9}}}");
        poll_latencies(0, 10 * i, 51000000000 * i, 0.003, publisher);
        observing_assert_none(run, "clocks");
        free(publisher);
    }
    for (int64_t i = 1; i < 4; i++) {
        char *publisher =
            answer_at(0.002, ", 'server': {'event_streams': {'tango://h:1/a/b/c/x.change': "
                             "{'pushed_event_count': 9}}}");
        poll_latencies(10 * i, 30, 153000000000 - 20000000000 * i, 0.003, publisher);
        free(publisher);
    }
    observing_assert(run, "clocks",
                     "events of " PUB " reach " SUB " 2 s before their own timestamps: the "
                     "publisher's code sets them, since the clocks agree");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(pushing_takes_long),
        TEST(one_slow_push_proves_nothing),
        TEST(samples_of_the_built_in_command_name_no_stream),
        TEST(a_clock_that_is_wrong),
        TEST(the_monitors_own_clock_is_wrong),
        TEST(an_answer_that_took_long),
        TEST(what_says_no_time_has_no_clock),
        TEST(events_before_their_own_timestamps),
        TEST(latencies_of_almost_nothing),
        TEST(events_always_as_late),
        TEST(clocks_that_agree),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
