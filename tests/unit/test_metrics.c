/* What the exporter shows of answers that the tests make up. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "agent/counts/histogram.h"
#include "base/memory.h"
#include "base/monotonic.h"
#include "cmocka_all.h"
#include "exposition.h"
#include "monitor/view/metrics/metrics_limit.h"
#include "monitor/view/metrics/metrics_model.h"
#include "monitor/view/metrics/metrics_sink.h"
#include "observing.h"

#define PUB "dserver/Pub/1"
#define SUB "dserver/Sub/1"

#define AGENT(more)                                                                                \
    "'version': 1, 'agent': {'pid': 7, 'attached': '2026-09-21T14:00:00+00:00', 'version': "       \
    "'0.1.0', 'tango_version': '9.3.4'" more "}"
#define ANOTHER_AGENT "'version': 1, 'agent': {'pid': 8, 'attached': '2026-09-21T14:10:00+00:00'}"
#define STREAM_LABELS "tango_host=\"h:1\",device=\"a/b/c\",attribute=\"x\",event_type=\"change\""
#define OF_PUB        "{server=\"" PUB "\"}"
#define OF_SUB        "{server=\"" SUB "\"}"

typedef struct {
    observing_t *run;
    metrics_store_t *store;
    sink_t *sink;
    char *text; /* of the newest page */
} test_t;

static metrics_options_t options = {.series_limit = 1000, .poll_period = 10};
static test_t test;

static void begin(metrics_options_t with)
{
    test.run = observing_new(NULL);
    test.store = metrics_store_new(&with);
    test.sink = metrics_sink_new(test.store);
}

static void end(void)
{
    free(test.text);
    test.sink->methods->destroy(&test.sink);
    metrics_store_destroy(&test.store);
    observing_destroy(&test.run);
    test = (test_t){0};
}

static int setup(void **state)
{
    (void)state;
    begin(options);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    end();
    return 0;
}

static char *page(metrics_format_t format, size_t piece)
{
    size_t size = 0;
    metrics_page_t *page = metrics_store_page(test.store, format);
    char *text = exposition_read(&page, piece, &size);
    assert_non_null(text);
    char *fault = exposition_fault(text, size, format);
    if (fault)
        fail_msg("%s", fault);
    return text;
}

/* The next poll; leaves its page in test.text. */
static void poll(const char *const *servers_and_answers)
{
    char *error = NULL;
    observing_poll(test.run, servers_and_answers);
    assert_int_equal(test.sink->methods->show(test.sink, test.run->observation, &error), SINK_OK);
    assert_null(error);
    observation_settle(test.run->observation);
    free(test.text);
    free(page(METRICS_OPENMETRICS, 65536));
    test.text = page(METRICS_TEXT, 65536);
}

#define POLL(...) poll((const char *[]){__VA_ARGS__, NULL})

/* Where the line of a series begins; NULL: there is none. */
static const char *find(const char *series)
{
    const size_t size = strlen(series);
    for (const char *at = test.text; (at = strstr(at, series)) != NULL; at++)
        if ((at == test.text || at[-1] == '\n') && at[size] == ' ')
            return at;
    return NULL;
}

static void expect(const char *series, const char *value)
{
    const char *line = find(series);
    if (!line)
        fail_msg("no %s in:\n%s", series, test.text);
    char *is = line ? memory_copy(line, strcspn(line, "\n")) : NULL;
    char *wanted = memory_format("%s %s", series, value);
    assert_string_equal(is, wanted);
    free(wanted);
    free(is);
}

static void expect_none(const char *series)
{
    if (find(series))
        fail_msg("there is %.200s", find(series));
}

/* Nothing of a family, with whatever labels. */
static void expect_no_family(const char *name)
{
    if (strstr(test.text, name))
        fail_msg("there is %.200s", strstr(test.text, name));
}

/* ---- streams ---- */

static void what_a_publisher_counts(void **state)
{
    (void)state;
    POLL(PUB,
         "{" AGENT(
             ", 'uncounted': 0, 'unknown_topic_event_count': 3") ", 'server': "
                                                                 "{'event_counters': "
                                                                 "{'tango://h:1/a/b/c/x.change': "
                                                                 "36}, 'event_streams': "
                                                                 "{'tango://h:1/a/b/c/x.change': "
                                                                 "{'pushed_event_count': 36, "
                                                                 "'byte_count': 5220}}}}");
    expect("tango_event_pushed_total{server=\"" PUB "\"," STREAM_LABELS "}", "36");
    expect("tango_event_pushed_bytes_total{server=\"" PUB "\"," STREAM_LABELS "}", "5220");
    expect("tango_event_server_up" OF_PUB, "1");
    expect("tango_event_server_poll_seconds" OF_PUB, "0.009999999");
    expect("tango_event_server_last_answer_timestamp_seconds" OF_PUB, "1790000010");
    expect("tango_event_server_streams{server=\"" PUB "\",direction=\"published\"}", "1");
    expect("tango_event_server_streams{server=\"" PUB "\",direction=\"subscribed\"}", "0");
    expect("tango_event_server_summed_streams" OF_PUB, "0");
    expect("tango_event_agent_info{server=\"" PUB
           "\",source=\"agent\",version=\"0.1.0\",tango_version=\"9.3.4\"}",
           "1");
    expect("tango_event_agent_uncounted_total" OF_PUB, "0");
    expect("tango_event_unknown_topic_total" OF_PUB, "3");
    expect("tango_event_servers", "1");
    expect("tango_event_servers_failed", "0");
    expect("tango_event_exporter_polls_total", "1");
    expect("tango_event_exporter_stream_series", "2");
    expect("tango_event_exporter_series_limit", "1000");
    expect_no_family("tango_event_push_seconds");
    expect_no_family("tango_event_not_connected");
    expect_no_family("tango_event_consumer");
}

static void the_built_in_count_is_that_of_the_next_event(void **state)
{
    (void)state;
    POLL(PUB, "{'version': 1, 'server': {'event_counters': {'tango://h:1/a/b/c/x.change': 37}}}");
    expect("tango_event_pushed_total{server=\"" PUB "\"," STREAM_LABELS "}", "36");
    expect("tango_event_agent_info{server=\"" PUB "\",source=\"built-in command\"}", "1");
    expect_no_family("tango_event_pushed_bytes_total");
    expect_no_family("tango_event_agent_uncounted_total");
}

#define TOPIC "tango://h:1/a/b/c/x.idl5_change"
#define SUBSCRIBER_OF(topic, agent, counts)                                                        \
    "{" agent ", 'client': {'event_callbacks': {'" topic                                           \
    "': {'channel_name': 'tango://h:1/dserver/pub/1', " counts                                     \
    "}}, 'not_connected': [], 'event_channels': {'tango://h:1/dserver/pub/1': "                    \
    "{'heartbeat_count': "                                                                         \
    "7, 'missed_heartbeat_count': 1, 'last_heartbeat': '2026-09-21T14:13:20.5+00:00'}}}}"
#define SUBSCRIBER(counts) SUBSCRIBER_OF(TOPIC, AGENT(""), counts)
#define COUNTS                                                                                     \
    "'event_count': 90, 'missed_event_count': 2, 'discarded_event_count': 1, 'callback_count': "   \
    "3, "                                                                                          \
    "'server_counter': 100, 'lost_event_count': 10, 'known_lost_event_count': 10, "                \
    "'outage_lost_event_count': 4, 'publisher_restart_count': 0, 'byte_count': 9000, "             \
    "'error_event_count': 5"
#define SUB_LABELS "server=\"" SUB "\"," STREAM_LABELS ",publisher=\"tango://h:1/dserver/pub/1\""
#define LOST(cause, by)                                                                            \
    "tango_event_lost_total{" SUB_LABELS ",cause=\"" cause "\",counted_by=\"" by "\"}"

static void what_a_subscriber_counts(void **state)
{
    (void)state;
    POLL(SUB, SUBSCRIBER(COUNTS));
    expect("tango_event_received_total{" SUB_LABELS "}", "90");
    expect("tango_event_received_bytes_total{" SUB_LABELS "}", "9000");
    expect("tango_event_received_errors_total{" SUB_LABELS "}", "5");
    expect("tango_event_discarded_total{" SUB_LABELS "}", "1");
    expect("tango_event_gaps_total{" SUB_LABELS "}", "2");
    expect("tango_event_callbacks{" SUB_LABELS "}", "3");
    expect("tango_event_publisher_restarts_total{" SUB_LABELS "}", "0");
    expect(LOST("overflow", "agent"), "6");
    expect(LOST("outage", "agent"), "4");
    expect(LOST("overflow", "exporter"), "0");
    expect(LOST("outage", "exporter"), "0");
    expect_no_family("tango_event_lost_is_minimum");
    expect_no_family("tango_event_not_received{");
    const char channel[] = "server=\"" SUB "\",publisher=\"tango://h:1/dserver/pub/1\"";
    char *series = memory_format("tango_event_heartbeats_total{%s}", channel);
    expect(series, "7");
    free(series);
    series = memory_format("tango_event_last_heartbeat_timestamp_seconds{%s}", channel);
    expect(series, "1790000000.5");
    free(series);
    expect("tango_event_not_connected" OF_SUB, "0");
}

static void a_heartbeat_at_the_end_of_time(void **state)
{
    (void)state;
    POLL(SUB, "{" AGENT("") ", 'client': {'event_channels': {'tango://h:1/dserver/pub/1': "
                            "{'last_heartbeat': '2262-04-11T23:47:16.999999+00:00'}}}}");
    expect("tango_event_last_heartbeat_timestamp_seconds{server=\"" SUB
           "\",publisher=\"tango://h:1/dserver/pub/1\"}",
           "9223372036.854775807");
}

static void what_is_not_known_has_no_series(void **state)
{
    (void)state;
    POLL(SUB, SUBSCRIBER("'event_count': 90, 'callback_count': null, 'server_counter': 0, "
                         "'lost_event_count': null"));
    expect("tango_event_received_total{" SUB_LABELS "}", "90");
    expect_no_family("tango_event_lost_total");
    expect_no_family("tango_event_callbacks");
    expect_no_family("tango_event_received_bytes_total");
    POLL(SUB, "{" AGENT("") ", 'client': null}");
    expect_no_family("tango_event_received_total");
    expect_no_family("tango_event_not_connected");
}

/* The counter is there before it increases. */
static void at_least_so_many_lost(void **state)
{
    (void)state;
    POLL(SUB, SUBSCRIBER("'event_count': 90, 'server_counter': 100, 'lost_event_count': null, "
                         "'known_lost_event_count': 0, 'outage_lost_event_count': 0"));
    expect(LOST("overflow", "agent"), "0");
    expect("tango_event_lost_is_minimum{" SUB_LABELS "}", "1");
    POLL(SUB, SUBSCRIBER("'event_count': 95, 'server_counter': 108, 'lost_event_count': null, "
                         "'known_lost_event_count': 3, 'outage_lost_event_count': 0"));
    expect(LOST("overflow", "agent"), "3");
    expect("tango_event_lost_is_minimum{" SUB_LABELS "}", "1");
}

/* Of servers without the agent, the exporter derives what was lost. */
static void derived_losses(void **state)
{
    (void)state;
    POLL(SUB, SUBSCRIBER_OF(TOPIC, "'version': 1",
                            "'event_count': 90, 'missed_event_count': 0, 'server_counter': 100"));
    expect(LOST("overflow", "exporter"), "0");
    expect_none(LOST("overflow", "agent"));
    POLL(SUB, SUBSCRIBER_OF(TOPIC, "'version': 1",
                            "'event_count': 95, 'missed_event_count': 1, 'server_counter': 112"));
    expect(LOST("overflow", "exporter"), "7");
    expect(LOST("outage", "exporter"), "0");
}

/* It doesn't fall, nor is a new one hidden by an old one: 7 and 5 are 12, and not 5. */
static void derived_losses_of_a_subscription_made_anew(void **state)
{
    (void)state;
    POLL(SUB, SUBSCRIBER_OF(TOPIC, "'version': 1",
                            "'event_count': 90, 'missed_event_count': 0, 'server_counter': 100"));
    POLL(SUB, SUBSCRIBER_OF(TOPIC, "'version': 1",
                            "'event_count': 95, 'missed_event_count': 1, 'server_counter': 112"));
    expect(LOST("overflow", "exporter"), "7");
    POLL(SUB, SUBSCRIBER_OF(TOPIC, "'version': 1",
                            "'event_count': 5, 'missed_event_count': 5, 'server_counter': 10"));
    expect(LOST("overflow", "exporter"), "12");
    POLL(SUB, SUBSCRIBER_OF(TOPIC, "'version': 1",
                            "'event_count': 6, 'missed_event_count': 6, 'server_counter': 12"));
    expect(LOST("overflow", "exporter"), "13");
}

static void a_publisher_is_named_as_it_is_watched(void **state)
{
    (void)state;
    POLL(PUB, "{" AGENT("") ", 'server': {}}", SUB, SUBSCRIBER(COUNTS));
    expect("tango_event_received_total{server=\"" SUB "\"," STREAM_LABELS ",publisher=\"" PUB "\"}",
           "90");
    expect("tango_event_heartbeats_total{server=\"" SUB "\",publisher=\"" PUB "\"}", "7");
    /* The one of that port, not of another database. */
    POLL("tango://H:2/dserver/Pub/1", "{" AGENT("") "}", SUB, SUBSCRIBER(COUNTS));
    expect("tango_event_received_total{" SUB_LABELS "}", "90");
    POLL("tango://H:1/dserver/Pub/1", "{" AGENT("") "}", "tango://H:2/dserver/Pub/1",
         "{" AGENT("") "}", SUB, SUBSCRIBER(COUNTS));
    expect("tango_event_received_total{server=\"" SUB "\"," STREAM_LABELS
           ",publisher=\"tango://H:1/dserver/Pub/1\"}",
           "90");
}

static void what_the_consumer_thread_does(void **state)
{
    (void)state;
    POLL(SUB, "{" AGENT("") ", 'client': {'consumer_thread': {'state': 'callbacks', "
                            "'state_micros': 2500000, 'delayed_micros': null}}}");
    expect("tango_event_consumer_busy_seconds" OF_SUB, "2.5");
    expect("tango_event_consumer_delayed_seconds" OF_SUB, "0");
    POLL(SUB, "{" AGENT("") ", 'client': {'consumer_thread': {'state': 'order', "
                            "'state_micros': 2500000, 'delayed_micros': 7000000}}}");
    expect("tango_event_consumer_busy_seconds" OF_SUB, "0");
    expect("tango_event_consumer_delayed_seconds" OF_SUB, "7");
}

static void streams_that_the_filter_takes(void **state)
{
    (void)state;
    char *patterns[] = {"a/b/c/x"};
    end();
    begin((metrics_options_t){.series_limit = 1000, .filter = {.patterns = patterns, .count = 1}});
    POLL(PUB,
         "{" AGENT(
             "") ", 'server': {'event_streams': {'tango://h:1/a/b/c/x.change': "
                 "{'pushed_event_count': 1}, 'tango://h:1/a/b/c/y.change': {'pushed_event_count': "
                 "2}}}}");
    expect("tango_event_pushed_total{server=\"" PUB "\"," STREAM_LABELS "}", "1");
    expect_no_family("attribute=\"y\"");
    expect("tango_event_server_streams{server=\"" PUB "\",direction=\"published\"}", "2");
}

/* ---- servers ---- */

/* They are of a device, and of none of its attributes. */
static void changes_of_an_interface(void **state)
{
    (void)state;
    POLL(PUB, "{" AGENT("") ", 'server': {'event_streams': {"
                            "'tango://h:1/a/b/c.intr_change': {'pushed_event_count': 1},"
                            "'tango://h:1/a/b/d#dbase=no.intr_change': {'pushed_event_count': 2},"
                            "'.intr_change': {'pushed_event_count': 3}}}}");
    expect("tango_event_pushed_total{server=\"" PUB
           "\",tango_host=\"h:1\",device=\"a/b/c\",event_type=\"intr_change\"}",
           "1");
    expect("tango_event_pushed_total{server=\"" PUB
           "\",tango_host=\"h:1\",device=\"a/b/d\",event_type=\"intr_change\"}",
           "2");
    expect("tango_event_pushed_total{server=\"" PUB "\",event_type=\"intr_change\"}", "3");
}

static void a_server_that_fails(void **state)
{
    (void)state;
    POLL(SUB, SUBSCRIBER(COUNTS));
    POLL(SUB, "no such host");
    expect("tango_event_server_up" OF_SUB, "0");
    expect("tango_event_server_last_answer_timestamp_seconds" OF_SUB, "1790000010");
    expect("tango_event_servers_failed", "1");
    expect_no_family("tango_event_received_total");
    expect_no_family("tango_event_heartbeats_total");
    expect_no_family("tango_event_agent_info");
    expect_no_family("tango_event_server_poll_seconds");
    POLL(SUB, SUBSCRIBER(COUNTS));
    expect("tango_event_received_total{" SUB_LABELS "}", "90");
    POLL(PUB, "never seen");
    expect("tango_event_server_up" OF_PUB, "0");
    expect_no_family("tango_event_server_last_answer_timestamp_seconds");
}

static void a_server_that_is_there_twice(void **state)
{
    (void)state;
    POLL(SUB, SUBSCRIBER(COUNTS), SUB, SUBSCRIBER(COUNTS));
    expect("tango_event_received_total{" SUB_LABELS "}", "90");
    expect("tango_event_server_up" OF_SUB, "1");
}

/* ---- findings ---- */

static void findings_by_rule(void **state)
{
    (void)state;
    const char stuck[] = "{" AGENT("") ", 'client': {'event_callbacks': {'" TOPIC
                                       "': {'event_count': 1}}, 'consumer_thread': {'state': "
                                       "'callbacks', 'topic': '" TOPIC
                                       "', 'state_micros': 19900000, 'since': 's'}}}";
    const char fine[] = "{" AGENT("") ", 'client': {'event_callbacks': {'" TOPIC
                                      "': {'event_count': 1}}, 'consumer_thread': {'state': "
                                      "'polling', 'topic': null, 'state_micros': 1000}}}";
    POLL(SUB, fine);
    expect("tango_event_findings{rule=\"stuck-callback\",severity=\"fault\"}", "0");
    expect("tango_event_findings{rule=\"no-counter\",severity=\"remark\"}", "0");
    POLL(SUB, stuck);
    expect("tango_event_findings{rule=\"stuck-callback\",severity=\"fault\"}", "1");
    expect("tango_event_findings_begun_total{rule=\"stuck-callback\",severity=\"fault\"}", "1");
    expect("tango_event_server_findings{server=\"" SUB
           "\",rule=\"stuck-callback\",severity=\"fault\"}",
           "1");
    POLL(SUB, "gone"); /* nobody knows better */
    expect("tango_event_findings{rule=\"stuck-callback\",severity=\"fault\"}", "1");
    POLL(SUB, fine);
    expect("tango_event_findings{rule=\"stuck-callback\",severity=\"fault\"}", "0");
    expect("tango_event_findings_begun_total{rule=\"stuck-callback\",severity=\"fault\"}", "1");
    expect_no_family("tango_event_server_findings{server=");
}

/* ---- histograms ---- */

#define WITH_HISTOGRAM(buckets, sum)                                                               \
    "{" AGENT("") ", 'server': {'event_streams': {'tango://h:1/a/b/c/x.change': "                  \
                  "{'pushed_event_count': 9, 'push_event_histogram': {'buckets': [" buckets        \
                  "], 'count': 9, 'sum_nanos': " #sum ", 'max_nanos': 5}}}}}"
#define BUCKET(le)                                                                                 \
    "tango_event_push_seconds_bucket{server=\"" PUB "\"," STREAM_LABELS ",le=\"" le "\"}"

static void buckets_are_merged(void **state)
{
    (void)state;
    POLL(PUB, WITH_HISTOGRAM("[null, 1024, 1], [1024, 1152, 2], [3840, 4096, 3], [4096, 4608, "
                             "4], [274877906944, null, 5]",
                             1500000000));
    expect(BUCKET("1.024e-06"), "1");
    expect(BUCKET("4.096e-06"), "6");
    expect(BUCKET("1.6384e-05"), "10");
    expect(BUCKET("68.719476736"), "10");
    expect(BUCKET("+Inf"), "15");
    expect("tango_event_push_seconds_count{server=\"" PUB "\"," STREAM_LABELS "}", "15");
    expect("tango_event_push_seconds_sum{server=\"" PUB "\"," STREAM_LABELS "}", "1.5");
}

/* Clocks that disagree. */
static void a_negative_sum_is_not_shown(void **state)
{
    (void)state;
    POLL(PUB, WITH_HISTOGRAM("[null, 1024, 1]", -5000));
    expect(BUCKET("+Inf"), "1");
    expect_none("tango_event_push_seconds_sum{server=\"" PUB "\"," STREAM_LABELS "}");
    /* Parsers of OpenMetrics refuse a page that has one without the other. */
    expect_none("tango_event_push_seconds_count{server=\"" PUB "\"," STREAM_LABELS "}");
}

/* So the agent's counts are added up exactly. */
static void bounds_are_the_agent_s(void **state)
{
    (void)state;
    POLL(PUB, WITH_HISTOGRAM("[null, 1024, 1]", 5000));
    size_t found = 0;
    for (const char *at = test.text; (at = strstr(at, ",le=\"")) != NULL; at++) {
        int64_t from = 0;
        int64_t below = 0;
        const double le = strtod(at + 5, NULL);
        if (strncmp(at + 5, "+Inf", 4) == 0)
            continue;
        const int64_t nanos = (int64_t)(le * 1e9 + 0.5);
        histogram_bounds(histogram_bucket(nanos), &from, &below);
        assert_int_equal(from, nanos);
        found++;
    }
    assert_int_equal(found, 14);
}

/* ---- names ---- */

static void hostile_names(void **state)
{
    (void)state;
    char *long_name = memory_new(1 << 20, 1);
    memset(long_name, 'n', (1 << 20) - 1);
    char *answer = memory_format(
        "{" AGENT(
            "") ", 'server': {'event_streams': {"
                "'tango://h:1/a\\\"b/c\\\\d/e/x.change': {'pushed_event_count': 1},"
                "'tango://h:1/a/b/c/\\u001b[31m\\n.change': {'pushed_event_count': 2},"
                "'tango://h:1/a/b/c/\\u001b[32m\\n.change': {'pushed_event_count': 3},"
                "'%s': {'pushed_event_count': 4}, '%s2': {'pushed_event_count': 5},"
                "'': {'pushed_event_count': 6}, '.': {'pushed_event_count': 7}, '/': "
                "{'pushed_event_count': 8}, 'tango://': {'pushed_event_count': 9}, 'tango:///': "
                "{'pushed_event_count': 10}, '\\u00e4\\u4e2d\\ud83d\\ude00/\\u202e.x': "
                "{'pushed_event_count': 11}}}}",
        long_name, long_name);
    POLL("\xff\"\\\n{}", answer, PUB, "{" AGENT("") "}");
    assert_non_null(strstr(test.text, "device=\"a\\\"b/c\\\\d/e\""));
    assert_non_null(strstr(test.text, "attribute=\"?[31m?~"));
    assert_non_null(strstr(test.text, "server=\"?\\\"\\\\?{}~"));
    size_t count = 0;
    for (const char *at = test.text; (at = strstr(at, "\ntango_event_pushed_total{")); at++)
        count++;
    assert_int_equal(count, 8);
    assert_non_null(strstr(test.text, "\"} 31\n")); /* those without any name */
    for (const char *at = test.text; *at; at = strchr(at, '\n') + 1)
        assert_true(strcspn(at, "\n") < 3000);
    free(answer);
    free(long_name);
}

/* ---- streams with the same labels ---- */

#define LEVELS(four, five) "{" AGENT("") ", 'client': {'event_callbacks': {" four five "}}}"
#define LEVEL(level, count)                                                                        \
    "'tango://h:1/a/b/c/x.idl" level "_change': {'event_count': " #count ", 'callback_count': 1}"
#define RECEIVED "tango_event_received_total{server=\"" SUB "\"," STREAM_LABELS "}"

static void levels_of_a_stream_are_one_series(void **state)
{
    (void)state;
    POLL(SUB, LEVELS("", LEVEL("5", 100)));
    expect(RECEIVED, "100");
    POLL(SUB, LEVELS(LEVEL("4", 7) ",", LEVEL("5", 110)));
    expect(RECEIVED, "117");
    expect("tango_event_callbacks{server=\"" SUB "\"," STREAM_LABELS "}", "2");
    POLL(SUB, LEVELS(LEVEL("4", 8) ",", LEVEL("5", 110)));
    expect(RECEIVED, "118");
    POLL(SUB, LEVELS("", LEVEL("5", 120))); /* the rest of a sum would be taken for an increase */
    expect(RECEIVED, "128");
    expect("tango_event_callbacks{server=\"" SUB "\"," STREAM_LABELS "}", "1");
    POLL(SUB, "{" AGENT("") ", 'client': {}}");
    POLL(SUB, LEVELS("", LEVEL("5", 3)));
    expect(RECEIVED, "3");
}

/* ---- the limit ---- */

static void with_limit(size_t limit)
{
    end();
    begin((metrics_options_t){.series_limit = limit});
}

/* Streams a/b/c/0 ... of a publisher, each pushed so often. */
static char *publisher_of(const char *agent, int streams, int pushed)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    fprintf(out, "{%s, 'server': {'event_streams': {", agent);
    for (int i = 0; i < streams; i++)
        fprintf(out, "%s'tango://h:1/a/b/c/%d.change': {'pushed_event_count': %d}",
                i > 0 ? ", " : "", i, pushed);
    fputs("}}}", out);
    memory_stream_close(out);
    return text;
}

static void poll_two(int first, int second, int pushed)
{
    char *one = publisher_of(AGENT(""), first, pushed);
    char *other = publisher_of(AGENT(""), second, pushed);
    POLL(PUB, one, SUB, other);
    free(one);
    free(other);
}

#define SUM_OF_PUB "tango_event_pushed_total" OF_PUB
#define SUM_OF_SUB "tango_event_pushed_total" OF_SUB

static void a_server_with_too_many_streams_is_summed_up(void **state)
{
    (void)state;
    with_limit(12);
    poll_two(20, 4, 100);
    expect(SUM_OF_PUB, "0"); /* it begins here */
    expect_none(SUM_OF_SUB);
    expect("tango_event_server_summed_streams" OF_PUB, "20");
    expect("tango_event_server_summed_streams" OF_SUB, "0");
    expect("tango_event_exporter_summed_streams", "20");
    expect("tango_event_exporter_stream_series", "5");
    expect("tango_event_pushed_total{server=\"" SUB
           "\",tango_host=\"h:1\",device=\"a/b/c\",attribute=\"3\",event_type=\"change\"}",
           "100");
    poll_two(20, 4, 103);
    expect(SUM_OF_PUB, "60");
    poll_two(10, 4, 104); /* half of them are gone */
    expect(SUM_OF_PUB, "70");
    poll_two(12, 4, 104); /* two are there again: new ones */
    expect(SUM_OF_PUB, "278");
}

/* A little more or less doesn't make it come and go, nor a moment. */
static void summed_up_until_there_is_room(void **state)
{
    (void)state;
    with_limit(20);
    poll_two(17, 4, 100);
    expect(SUM_OF_PUB, "0");
    poll_two(15, 4, 100);
    expect(SUM_OF_PUB, "0");
    poll_two(16, 4, 101);
    expect(SUM_OF_PUB, "116"); /* 15, and a new stream with 101 */
    for (int i = 1; i < METRICS_LIMIT_POLLS; i++) {
        poll_two(12, 4, 101);
        expect(SUM_OF_PUB, "116");
    }
    poll_two(12, 4, 101);
    expect_none(SUM_OF_PUB);
    poll_two(15, 4, 101);
    expect_none(SUM_OF_PUB);
    poll_two(17, 4, 101);
    expect(SUM_OF_PUB, "0"); /* anew */
}

static void a_summed_server_that_fails_or_restarts(void **state)
{
    (void)state;
    with_limit(3);
    char *before = publisher_of(AGENT(""), 5, 100);
    char *later = publisher_of(AGENT(""), 5, 110);
    char *restarted = publisher_of(ANOTHER_AGENT, 5, 200);
    POLL(PUB, before);
    POLL(PUB, "gone");
    expect_no_family("tango_event_pushed_total");
    POLL(PUB, later);
    expect(SUM_OF_PUB, "50");
    POLL(PUB, restarted); /* counts that are higher, but of another process */
    expect(SUM_OF_PUB, "1050");
    free(before);
    free(later);
    free(restarted);
}

#define TWO_WITH_HISTOGRAMS                                                                        \
    "{" AGENT("") ", 'server': {'event_streams': {"                                                \
                  "'tango://h:1/a/b/c/x.change': {'pushed_event_count': %d, "                      \
                  "'push_event_histogram': {'buckets': [[1024, 1152, %d]], 'count': 1, "           \
                  "'sum_nanos': %d000000000}}, "                                                   \
                  "'tango://h:1/a/b/c/y.change': {'pushed_event_count': 7, "                       \
                  "'push_event_histogram': {'buckets': [[1024, 1152, 7]], 'count': 7, "            \
                  "'sum_nanos': 2000000000}}}}}"

/* A process that has just started has no streams yet; what it counts meanwhile isn't forgotten. */
static void a_summed_server_that_restarts_without_streams(void **state)
{
    (void)state;
    with_limit(3);
    char *before = publisher_of(AGENT(""), 5, 100);
    char *started = publisher_of(ANOTHER_AGENT, 0, 0);
    char *first = publisher_of(ANOTHER_AGENT, 1, 30);
    char *all = publisher_of(ANOTHER_AGENT, 5, 40);
    POLL(PUB, before);
    expect(SUM_OF_PUB, "0");
    POLL(PUB, started);
    expect(SUM_OF_PUB, "0");
    POLL(PUB, first);
    expect(SUM_OF_PUB, "30");
    POLL(PUB, all);
    expect(SUM_OF_PUB, "200");
    free(before);
    free(started);
    free(first);
    free(all);
}

static void summed_histograms(void **state)
{
    (void)state;
    with_limit(1);
    POLL(PUB, WITH_HISTOGRAM("[1024, 1152, 2]", 1000000000));
    expect_none(SUM_OF_PUB); /* one stream alone isn't less when it is summed up */
    with_limit(1);
    for (int i = 1; i < 4; i++) {
        char *answer = memory_format(TWO_WITH_HISTOGRAMS, i, i, i);
        POLL(PUB, answer);
        free(answer);
    }
    expect(SUM_OF_PUB, "2");
    expect("tango_event_push_seconds_bucket{server=\"" PUB "\",le=\"1.024e-06\"}", "0");
    expect("tango_event_push_seconds_bucket{server=\"" PUB "\",le=\"4.096e-06\"}", "2");
    expect("tango_event_push_seconds_sum" OF_PUB, "2");
}

static void the_largest_are_summed_up_first(void **state)
{
    (void)state;
    metrics_load_t loads[] = {{.streams = 3, .series = 30, .sums = 10},
                              {.streams = 9, .series = 90, .sums = 10},
                              {.streams = 5, .series = 50, .sums = 10}};
    metrics_load_t *const list[] = {&loads[0], &loads[1], &loads[2]};
    metrics_limit_apply(list, 3, 170);
    assert_false(loads[0].is_summed || loads[1].is_summed || loads[2].is_summed);
    metrics_limit_apply(list, 3, 169);
    assert_true(loads[1].is_summed && !loads[2].is_summed);
    metrics_limit_apply(list, 3, 89);
    assert_true(loads[1].is_summed && loads[2].is_summed && !loads[0].is_summed);
    metrics_limit_apply(list, 3, 1);
    assert_true(loads[0].is_summed);
    for (int i = 0; i < 2 * METRICS_LIMIT_POLLS; i++)
        metrics_limit_apply(list, 3, 60); /* 50 is more than four fifths */
    assert_true(loads[0].is_summed);
    for (int i = 1; i < METRICS_LIMIT_POLLS; i++)
        metrics_limit_apply(list, 3, 63);
    assert_true(loads[0].is_summed);
    metrics_limit_apply(list, 3, 60); /* begins again */
    for (int i = 1; i < METRICS_LIMIT_POLLS; i++)
        metrics_limit_apply(list, 3, 63);
    assert_true(loads[0].is_summed);
    metrics_limit_apply(list, 3, 63);
    assert_true(!loads[0].is_summed && loads[2].is_summed);
    for (int i = 0; i < METRICS_LIMIT_POLLS; i++)
        metrics_limit_apply(list, 3, 1000);
    assert_false(loads[1].is_summed || loads[2].is_summed);
    loads[0].series = 5; /* nothing is won by summing that up */
    metrics_limit_apply(list, 3, 1);
    assert_false(loads[0].is_summed);
}

/* ---- pages ---- */

static void before_the_first_poll(void **state)
{
    (void)state;
    assert_false(metrics_store_is_ready(test.store));
    test.text = page(METRICS_TEXT, 65536);
    expect("tango_event_exporter_polls_total", "0");
    expect("tango_event_exporter_build_info{version=\"0.1.0\"}", "1");
    assert_non_null(strstr(test.text, "\nprocess_resident_memory_bytes "));
    assert_non_null(strstr(test.text, "\nprocess_cpu_seconds_total "));
    assert_non_null(strstr(test.text, "\nprocess_open_fds "));
    expect_no_family("tango_event_servers");
    expect_no_family("last_observation");
}

static void pieces_of_any_size(void **state)
{
    (void)state;
    POLL(SUB, SUBSCRIBER(COUNTS));
    static const size_t sizes[] = {1, 7, 100, 4095, 4096, 4097, 1000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        free(page(METRICS_OPENMETRICS, sizes[i]));
    metrics_page_t *one = metrics_store_page(test.store, METRICS_TEXT);
    char first[500];
    char again[500];
    assert_int_equal(metrics_page_read(one, 100, first, 400), 400);
    assert_int_equal(metrics_page_read(one, 5000, again, 400), 400);
    assert_int_equal(metrics_page_read(one, 100, again, 400), 400);
    assert_memory_equal(first, again, 400);
    assert_int_equal(metrics_page_read(one, metrics_page_size(one), again, 400), 0);
    metrics_page_destroy(&one);
    assert_null(one);
}

static void a_page_outlives_the_observation(void **state)
{
    (void)state;
    POLL(SUB, SUBSCRIBER(COUNTS));
    metrics_page_t *old = metrics_store_page(test.store, METRICS_TEXT);
    POLL(PUB, "{" AGENT("") "}");
    size_t size = 0;
    char *text = exposition_read(&old, 100, &size);
    assert_non_null(strstr(text, "tango_event_received_total{" SUB_LABELS "} 90\n"));
    free(text);
}

static void openmetrics_differs_in_its_heads(void **state)
{
    (void)state;
    POLL(SUB, SUBSCRIBER(COUNTS));
    char *text = page(METRICS_OPENMETRICS, 65536);
    assert_non_null(strstr(text, "# TYPE tango_event_received counter\n"));
    assert_non_null(strstr(text, "# TYPE tango_event_agent info\n"));
    assert_non_null(strstr(text, "# UNIT tango_event_received_bytes bytes\n"));
    assert_non_null(strstr(text, "# UNIT tango_event_server_poll_seconds seconds\n"));
    assert_string_equal(text + strlen(text) - 6, "# EOF\n");
    assert_non_null(strstr(test.text, "# TYPE tango_event_received_total counter\n"));
    assert_non_null(strstr(test.text, "# TYPE tango_event_agent_info gauge\n"));
    free(text);
}

static void the_age_is_of_the_page(void **state)
{
    (void)state;
    char *error = NULL;
    observing_poll(test.run, (const char *[]){PUB, "{" AGENT("") "}", NULL});
    /* As of a live poll, and without changing what the observation is of. */
    ((snapshot_t *)(uintptr_t)test.run->observation->snapshot)->asked = monotonic_seconds() - 100;
    test.sink->methods->show(test.sink, test.run->observation, &error);
    test.text = page(METRICS_TEXT, 65536);
    const char *line = strstr(test.text, "\ntango_event_exporter_last_observation_age_seconds ");
    assert_non_null(line);
    const double age = strtod(strchr(line, ' '), NULL);
    assert_true(age >= 100 && age < 160);
}

/* A recording may say that it was made in any year with four digits. */
static void a_time_beyond_nanoseconds_is_not_known(void **state)
{
    (void)state;
    assert_int_equal(metrics_nanos_of_time(&(struct timespec){1, 5}), 1000000005);
    assert_int_equal(metrics_nanos_of_time(&(struct timespec){INT64_MAX / 1000000000, 0}),
                     INT64_MAX / 1000000000 * 1000000000);
    assert_int_equal(metrics_nanos_of_time(&(struct timespec){65729847610, 0}), RESPONSE_UNKNOWN);
    assert_int_equal(metrics_nanos_of_time(&(struct timespec){-1, 0}), RESPONSE_UNKNOWN);
}

/* ---- Accept ---- */

static void the_format_that_is_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        metrics_format_t format;
    } cases[] = {
        {NULL, METRICS_TEXT},
        {"", METRICS_TEXT},
        {"*/*", METRICS_TEXT},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", METRICS_TEXT},
        {"application/openmetrics-text", METRICS_OPENMETRICS},
        {"Application/OpenMetrics-Text ; Version=\"1.0.0\"", METRICS_OPENMETRICS},
        {"application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;"
         "version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
         METRICS_OPENMETRICS},
        {"application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         METRICS_OPENMETRICS},
        {"application/openmetrics-text;q=0.3,text/plain;q=0.7", METRICS_TEXT},
        {"application/openmetrics-text;q=0", METRICS_TEXT},
        {"application/openmetrics-text;version=2.0.0", METRICS_TEXT},
        {"application/openmetrics-text;q=0.4,*/*;q=0.9", METRICS_TEXT},
        {"text/plain,application/openmetrics-text;q=0.999", METRICS_TEXT},
        {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding="
         "delimited;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3",
         METRICS_OPENMETRICS},
        {"application/openmetrics-textual", METRICS_TEXT},
        {";;;,,,;q=,=,q", METRICS_TEXT},
        {"application/openmetrics-text;q=x", METRICS_TEXT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (metrics_accepted(cases[i].accept) != cases[i].format)
            fail_msg("%s", cases[i].accept);
}

/* ---- threads ---- */

static void *scrape(void *store)
{
    for (int i = 0; i < 200; i++) {
        size_t size = 0;
        const metrics_format_t format = i % 2 ? METRICS_TEXT : METRICS_OPENMETRICS;
        metrics_page_t *one = metrics_store_page(store, format);
        char *text = exposition_read(&one, 1000, &size);
        char *fault = text ? exposition_fault(text, size, format) : memory_string("a wrong size");
        free(text);
        if (fault)
            return fault;
        (void)metrics_store_is_ready(store);
    }
    return NULL;
}

static void scrapes_while_polls_go_on(void **state)
{
    (void)state;
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, scrape, test.store), 0);
    for (int i = 0; i < 100; i++) {
        char *error = NULL;
        char *answer = publisher_of(AGENT(""), 1 + i % 7, i);
        observing_poll(test.run, (const char *[]){PUB, answer, SUB, SUBSCRIBER(COUNTS), NULL});
        test.sink->methods->show(test.sink, test.run->observation, &error);
        free(answer);
    }
    for (size_t i = 0; i < 3; i++) {
        void *fault = NULL;
        assert_int_equal(pthread_join(threads[i], &fault), 0);
        if (fault)
            fail_msg("%s", (char *)fault);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_a_publisher_counts),
        TEST(the_built_in_count_is_that_of_the_next_event),
        TEST(what_a_subscriber_counts),
        TEST(a_heartbeat_at_the_end_of_time),
        TEST(what_is_not_known_has_no_series),
        TEST(at_least_so_many_lost),
        TEST(derived_losses),
        TEST(derived_losses_of_a_subscription_made_anew),
        TEST(a_publisher_is_named_as_it_is_watched),
        TEST(what_the_consumer_thread_does),
        TEST(streams_that_the_filter_takes),
        TEST(changes_of_an_interface),
        TEST(a_server_that_fails),
        TEST(a_server_that_is_there_twice),
        TEST(findings_by_rule),
        TEST(buckets_are_merged),
        TEST(a_negative_sum_is_not_shown),
        TEST(bounds_are_the_agent_s),
        TEST(hostile_names),
        TEST(levels_of_a_stream_are_one_series),
        TEST(a_server_with_too_many_streams_is_summed_up),
        TEST(summed_up_until_there_is_room),
        TEST(a_summed_server_that_fails_or_restarts),
        TEST(a_summed_server_that_restarts_without_streams),
        TEST(summed_histograms),
        TEST(the_largest_are_summed_up_first),
        TEST(before_the_first_poll),
        TEST(pieces_of_any_size),
        TEST(a_page_outlives_the_observation),
        TEST(openmetrics_differs_in_its_heads),
        TEST(the_age_is_of_the_page),
        TEST(a_time_beyond_nanoseconds_is_not_known),
        TEST(the_format_that_is_accepted),
        TEST(scrapes_while_polls_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
