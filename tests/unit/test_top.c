/* The top streams of several servers: which ones, in what order, and how they are printed. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "base/memory.h"
#include "monitor/analysis/observation.h"
#include "monitor/view/text/top.h"

static observation_t *observation;
static time_t now;

static int setup(void **state)
{
    (void)state;
    observation = observation_new(NULL);
    now = 1000;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    observation_destroy(&observation);
    return 0;
}

/* The servers' answers, ten seconds after the ones before; with ' for ", NULL: that one failed. */
static void poll_servers(size_t count, const char *const *answers)
{
    observation_settle(observation);
    snapshot_t *snapshot = snapshot_new(count);
    snapshot->time.tv_sec = now += 10;
    for (size_t i = 0; i < count; i++) {
        reply_t *reply = &snapshot->replies[i];
        reply->server = memory_format("dserver/srv/%zu", i + 1);
        if (answers[i])
            reply->response = answers_parse(answers[i]);
        else
            reply->error = memory_string("down");
    }
    observation_renew(observation, &snapshot, true);
}

static void poll_server(const char *answer)
{
    poll_servers(1, &answer);
}

/* The ranking as "name=value", with blanks between. */
static void assert_ranking(top_key_t key, size_t most, const char *expected)
{
    shown_t *shown = shown_new(observation->comparison, &(filter_t){.count = 0});
    size_t count = 0;
    ranking_row_t *rows = ranking_new(shown, key, most, &count);
    char *text = memory_string("");
    for (size_t i = 0; i < count; i++) {
        const published_row_t *published = rows[i].published;
        const subscription_row_t *subscription = rows[i].subscription;
        assert_true(!published != !subscription);
        const char *name = published ? published->name : subscription ? subscription->topic : "";
        char *longer = memory_format("%s%s%s=%g", text, i > 0 ? " " : "", name, rows[i].value);
        free(text);
        text = longer;
    }
    assert_string_equal(text, expected);
    free(text);
    free(rows);
    shown_destroy(&shown);
}

static void assert_printed(const char *prefix, const summary_options_t *options,
                           const char *expected)
{
    shown_t *shown = shown_new(observation->comparison, &(filter_t){.count = 0});
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    top_print(out, shown, prefix, options);
    memory_stream_close(out);
    assert_string_equal(text, expected);
    free(text);
    shown_destroy(&shown);
}

#define SUBSCRIBER(pid, topics)                                                                    \
    "{'version': 1, 'agent': {'pid': " #pid                                                        \
    "}, 'server': null, 'client': {'event_callbacks': {" topics "}}}"
#define LOSSES(topic, events, lost)                                                                \
    "'" topic "': {'event_count': " #events ", 'lost_event_count': " #lost "}"
#define PUBLISHER(pid, counters)                                                                   \
    "{'version': 1, 'agent': {'pid': " #pid "}, 'server': {'event_counters': {" counters           \
    "}}, 'client': null}"

/* ---- which, and in what order ---- */

static void test_by_losses_since_the_previous_answer(void **state)
{
    (void)state;
    poll_servers(3, (const char *const[]){
                        SUBSCRIBER(1, LOSSES("a", 1, 0) ", " LOSSES("b", 1, 50)),
                        SUBSCRIBER(2, LOSSES("c", 1, 0) ", " LOSSES("d", 1, 0)),
                        PUBLISHER(3, "'a': 1"),
                    });
    poll_servers(3, (const char *const[]){
                        SUBSCRIBER(1, LOSSES("a", 2, 3) ", " LOSSES("b", 2, 50)),
                        SUBSCRIBER(2, LOSSES("c", 2, 3) ", " LOSSES("d", 2, 40)),
                        PUBLISHER(3, "'a': 100"),
                    });
    /* Equal ones in the order of the servers. */
    assert_ranking(TOP_LOSS, 10, "d=40 a=3 c=3");
    assert_ranking(TOP_LOSS, 3, "d=40 a=3 c=3");
    assert_ranking(TOP_LOSS, 2, "d=40 a=3");
    assert_ranking(TOP_LOSS, 0, "");
}

static void test_by_earlier_losses_in_a_first_answer(void **state)
{
    (void)state;
    poll_server(SUBSCRIBER(1, LOSSES("a", 1, 3) ", " LOSSES("b", 1, 0) ", " LOSSES("c", 1, 50)));
    assert_ranking(TOP_LOSS, 10, "c=50 a=3");
}

static void test_by_rate_on_both_sides(void **state)
{
    (void)state;
    poll_servers(2, (const char *const[]){SUBSCRIBER(1, LOSSES("a", 10, 0) ", " LOSSES("b", 10, 0)),
                                          PUBLISHER(2, "'a': 10, 'b': 20, 'c': 10")});
    assert_ranking(TOP_RATE, 10, "");
    poll_servers(2, (const char *const[]){SUBSCRIBER(1, LOSSES("a", 20, 0) ", " LOSSES("b", 60, 0)),
                                          PUBLISHER(2, "'a': 30, 'b': 20, 'c': 10")});
    assert_ranking(TOP_RATE, 10, "b=5 a=2 a=1");
}

#define TIMES(topic, latency, processing)                                                          \
    "'" topic "': {'event_count': 1, 'latency_histogram': " latency                                \
    ", 'processing_histogram': " processing "}"
#define HISTOGRAM(buckets) "{'buckets': [" buckets "], 'count': 1, 'max_nanos': 1, 'sum_nanos': 1}"

static void test_by_durations_of_subscriptions(void **state)
{
    (void)state;
    poll_server(SUBSCRIBER(
        1, TIMES("a", HISTOGRAM("[1000, 3000, 98], [7000, 9000, 2]"), "null") ", " TIMES(
               "b", HISTOGRAM("[3000, 5000, 99]"),
               HISTOGRAM(
                   "[null, 1000, 1]")) ", " TIMES("c", "null",
                                                  HISTOGRAM(
                                                      "[9000, null, 1]")) ", " TIMES("d",
                                                                                     HISTOGRAM(""),
                                                                                     HISTOGRAM(
                                                                                         "[1000, "
                                                                                         "2000, "
                                                                                         "0]"))));
    /* By the 99th percentile, in microseconds: the middle of the bucket. */
    assert_ranking(TOP_LATENCY, 10, "a=8 b=4");
    assert_ranking(TOP_PROCESSING, 10, "c=9 b=1");
}

static void test_of_one_that_failed_there_is_none(void **state)
{
    (void)state;
    poll_servers(2, (const char *const[]){SUBSCRIBER(1, LOSSES("a", 1, 3)), NULL});
    assert_ranking(TOP_LOSS, 10, "a=3");
    poll_servers(2, (const char *const[]){NULL, NULL});
    assert_ranking(TOP_LOSS, 10, "");
}

/* ---- how they are printed ---- */

static void test_prints_losses(void **state)
{
    (void)state;
    static const summary_options_t options = {.top = 10, .top_key = TOP_LOSS};
    poll_server(SUBSCRIBER(1, LOSSES("tango://h:1/a", 1, 3) ", " LOSSES("tango://h:1/b", 1, 50)));
    assert_printed(
        "tango://h:1/", &options,
        "  stream (most losses first)            by             rate [1/s]  lost before\n"
        "  b                           received  dserver/srv/1           -           50\n"
        "  a                           received  dserver/srv/1           -            3\n");
    poll_server(SUBSCRIBER(1, LOSSES("tango://h:1/a", 6, 7) ", " LOSSES("tango://h:1/b", 1, 50)));
    assert_printed(NULL, &options,
                   "  stream (most losses first)            by             rate [1/s]  LOST\n"
                   "  tango://h:1/a               received  dserver/srv/1         0.5     4\n");
}

static void test_prints_rates(void **state)
{
    (void)state;
    poll_servers(2,
                 (const char *const[]){SUBSCRIBER(1, LOSSES("a", 10, 0)), PUBLISHER(2, "'a': 10")});
    poll_servers(2,
                 (const char *const[]){SUBSCRIBER(1, LOSSES("a", 20, 0)), PUBLISHER(2, "'a': 11")});
    assert_printed(NULL, &(summary_options_t){.top = 10, .top_key = TOP_RATE},
                   "  stream (highest rate first)            by             rate [1/s]\n"
                   "  a                            received  dserver/srv/1         1.0\n"
                   "  a                            pushed    dserver/srv/2         0.1\n");
}

static void test_prints_durations(void **state)
{
    (void)state;
    poll_server(SUBSCRIBER(1, TIMES("a", HISTOGRAM("[1000, 3000, 98], [7000, 9000, 2]"),
                                    HISTOGRAM("[200000, 400000, 1]"))));
    assert_printed(
        NULL, &(summary_options_t){.top = 10, .top_key = TOP_LATENCY},
        "  stream (longest latency first)            by             rate [1/s]  latency [us] "
        "median  99 %  callbacks [us] median  99 %\n"
        "  a                               received  dserver/srv/1           -               "
        "   2.0   8.0                    300   300\n");
    assert_printed(
        NULL, &(summary_options_t){.top = 10, .top_key = TOP_PROCESSING},
        "  stream (longest callbacks first)            by             rate [1/s]  latency [us] "
        "median  99 %  callbacks [us] median  99 %\n"
        "  a                                 received  dserver/srv/1           -               "
        "   2.0   8.0                    300   300\n");
}

static void test_marks_losses_in_red(void **state)
{
    (void)state;
    poll_server(SUBSCRIBER(1, LOSSES("a", 1, 0)));
    poll_server(SUBSCRIBER(1, LOSSES("a", 1, 2)));
    assert_printed(
        NULL, &(summary_options_t){.top = 10, .style = {.color = true}},
        "  \033[1mstream (most losses first)            by             rate [1/s]  LOST\033[0m\n"
        "  \033[1;31ma                           received  dserver/srv/1         0.0     "
        "2\033[0m\n");
}

/* Without the agent, losses are derived, or only misses are known. */
static void test_marks_what_is_not_exact(void **state)
{
    (void)state;
#define BUILT_IN(events, missed, more)                                                             \
    "{'version': 1, 'server': null, 'client': {'event_callbacks': {'a': {'event_count': " #events  \
    ", 'missed_event_count': " #missed ", 'discarded_event_count': 0" more "}}}}"
    static const summary_options_t options = {.top = 10};
    poll_server(BUILT_IN(1, 0, ", 'server_counter': 1"));
    poll_server(BUILT_IN(2, 1, ", 'server_counter': 7"));
    assert_printed(NULL, &options,
                   "  stream (most losses first)            by             rate [1/s]  LOST\n"
                   "  a                           received  dserver/srv/1         0.1    5*\n"
                   "  * derived from counters, since the previous answer\n");
    teardown(state);
    setup(state);
    poll_server(BUILT_IN(1, 0, ""));
    poll_server(BUILT_IN(2, 1, ""));
    assert_printed(NULL, &options,
                   "  stream (most losses first)            by             rate [1/s]  LOST\n"
                   "  a                           received  dserver/srv/1         0.1   >=1\n");
#undef BUILT_IN
}

/* ---- why there is nothing ---- */

static void test_says_why_there_is_nothing(void **state)
{
    (void)state;
    static const char agent[] = SUBSCRIBER(1, LOSSES("a", 1, 0));
    static const char built_in[] = "{'version': 1, 'server': null, 'client': null}";
    static const struct {
        const char *answers[2]; /* in two polls */
        top_key_t key;
        bool perf;
        const char *expected;
    } cases[] = {
        {{NULL, agent}, TOP_LOSS, false, "  no known losses before this poll\n"},
        {{agent, agent}, TOP_LOSS, false, "  no known losses since the previous poll\n"},
        {{NULL, agent}, TOP_RATE, false, "  no rates yet: they need two answers of a server\n"},
        {{agent, agent}, TOP_RATE, false, "  no events since the previous poll\n"},
        {{agent, agent}, TOP_LATENCY, true, "  no events since the previous poll\n"},
        {{agent, agent},
         TOP_LATENCY,
         false,
         "  no durations: they are measured with --monitor-perf (-m)\n"},
        {{agent, agent},
         TOP_PROCESSING,
         false,
         "  no durations: they are measured with --monitor-perf (-m)\n"},
        {{built_in, built_in},
         TOP_LATENCY,
         true,
         "  no durations: only servers with the agent report them for each stream\n"},
        {{built_in, built_in},
         TOP_PROCESSING,
         false,
         "  no durations: only servers with the agent report them for each stream\n"},
        {{agent, NULL}, TOP_LOSS, false, ""},
        {{agent, NULL}, TOP_LATENCY, true, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        poll_server(cases[i].answers[0]);
        poll_server(cases[i].answers[1]);
        const summary_options_t options = {
            .top = 10, .top_key = cases[i].key, .perf = cases[i].perf};
        assert_printed(NULL, &options, cases[i].expected);
        teardown(state);
        setup(state);
    }
}

#define TOP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TOP_TEST(test_by_losses_since_the_previous_answer),
        TOP_TEST(test_by_earlier_losses_in_a_first_answer),
        TOP_TEST(test_by_rate_on_both_sides),
        TOP_TEST(test_by_durations_of_subscriptions),
        TOP_TEST(test_of_one_that_failed_there_is_none),
        TOP_TEST(test_prints_losses),
        TOP_TEST(test_prints_rates),
        TOP_TEST(test_prints_durations),
        TOP_TEST(test_marks_losses_in_red),
        TOP_TEST(test_marks_what_is_not_exact),
        TOP_TEST(test_says_why_there_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
