#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "answers.h"
#include "base/memory.h"
#include "monitor/analysis/perf_rows.h"
#include "monitor/model/snapshot.h"
#include "monitor/view/json/summary_json.h"
#include "monitor/view/text/summary.h"

#define START 1790000000 /* 2026-09-21T14:13:20 UTC */

/* ---- snapshots ------------------------------------------------------------------------------- */

static char *copy_of(const char *text)
{
    char *copy = strdup(text);
    assert_non_null(copy);
    return copy;
}

static snapshot_t *new_snapshot(time_t time, size_t reply_count)
{
    snapshot_t *snapshot = snapshot_new(reply_count);
    snapshot->time.tv_sec = time;
    return snapshot;
}

/* One server's snapshot; a text without '{' is an error. */
static snapshot_t *snapshot_of(time_t time, const char *text)
{
    snapshot_t *snapshot = new_snapshot(time, 1);
    snapshot->replies[0].server = copy_of("dserver/srv/1");
    if (strchr(text, '{'))
        snapshot->replies[0].response = answers_parse(text);
    else
        snapshot->replies[0].error = copy_of(text);
    return snapshot;
}

/* The publisher and the subscriber of a file of answers. */
static snapshot_t *snapshot_of_file(time_t time, const char *file)
{
    snapshot_t *snapshot = new_snapshot(time, 2);
    static const char *const sides[] = {"publisher", "subscriber"};
    for (size_t i = 0; i < 2; i++) {
        reply_t *reply = &snapshot->replies[i];
        char *text = answers_text(file, sides[i]);
        reply->server = copy_of(i == 0 ? "dserver/srvp/pub" : "dserver/srvs/sub");
        reply->response = response_parse(text, strlen(text), &reply->error);
        free(text);
    }
    return snapshot;
}

/* Like a monitor that has seen nothing before these two. */
static comparison_t *compare(const snapshot_t *previous, const snapshot_t *current)
{
    losses_t *losses = losses_new();
    if (previous)
        losses_update(losses, NULL, previous);
    losses_update(losses, previous, current);
    comparison_t *comparison = comparison_new(previous, current, losses);
    losses_destroy(&losses);
    return comparison;
}

static char *print_with(const snapshot_t *previous, const snapshot_t *current,
                        summary_options_t options)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    comparison_t *comparison = compare(previous, current);
    shown_t *shown = shown_new(comparison, &options.filter);
    summary_print(out, shown, current, &options);
    shown_destroy(&shown);
    comparison_destroy(&comparison);
    assert_int_equal(fclose(out), 0);
    return text;
}

static char *print(const snapshot_t *previous, const snapshot_t *current, bool perf)
{
    return print_with(previous, current, (summary_options_t){.perf = perf});
}

/* Takes the snapshots over. */
static void assert_summary(snapshot_t *previous, snapshot_t *current, bool perf,
                           const char *expected)
{
    char *text = print(previous, current, perf);
    assert_string_equal(text, expected);
    free(text);
    snapshot_destroy(&previous);
    snapshot_destroy(&current);
}

/* The content of a file of tests/data, until the next call. */
static const char *content_of(const char *file)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", TEST_DATA_DIR, file);
    static char expected[65536];
    FILE *in = fopen(path, "r");
    if (!in) {
        fail_msg("can't open %s", path);
        return "";
    }
    size_t size = fread(expected, 1, sizeof expected - 1, in);
    fclose(in);
    expected[size] = '\0';
    return expected;
}

/* The same, expected in a file of tests/data. */
static void assert_summary_file(snapshot_t *previous, snapshot_t *current, bool perf,
                                const char *file)
{
    assert_summary(previous, current, perf, content_of(file));
}

/* What is printed for two answers of one server, ten seconds apart, after the heading. */
static void assert_change(const char *before, const char *after, const char *expected)
{
    char heading[] = "2026-09-21T14:13:20+00:00  1 of 1 server answered\n";
    size_t size = sizeof heading + strlen(expected) + 1;
    char *all = malloc(size);
    assert_non_null(all);
    snprintf(all, size, "%s%s\n", heading, expected);
    assert_summary(snapshot_of(START - 10, before), snapshot_of(START, after), false, all);
    free(all);
}

/* ---- recorded answers ------------------------------------------------------------------------ */

static void test_first_snapshot(void **state)
{
    (void)state;
    assert_summary_file(NULL, snapshot_of_file(START, "native-10.3.3-steady.json"), false,
                        "summary-first.txt");
}

static void test_changes(void **state)
{
    (void)state;
    assert_summary_file(snapshot_of_file(START, "native-10.3.3-idle.json"),
                        snapshot_of_file(START + 10, "native-10.3.3-steady.json"), false,
                        "summary-new.txt");
    assert_summary_file(snapshot_of_file(START, "native-10.3.3-steady.json"),
                        snapshot_of_file(START + 10, "native-10.3.3-lossy-tail.json"), false,
                        "summary-lossy-tail.txt");
    assert_summary_file(snapshot_of_file(START, "native-10.3.3-lossy-tail.json"),
                        snapshot_of_file(START + 2, "native-10.3.3-lossy-detected.json"), false,
                        "summary-lossy-detected.txt");
}

static void test_perf(void **state)
{
    (void)state;
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    assert_summary_file(snapshot_of_file(START, "native-10.3.3-lossy-tail.json"),
                        snapshot_of_file(START + 10, "native-10.3.3-lossy-tail.json"), true,
                        "summary-perf.txt");
    assert_summary_file(snapshot_of_file(START, "native-10.3.3-steady.json"),
                        snapshot_of_file(START + 10, "native-10.3.3-steady.json"), true,
                        "summary-perf-few.txt");
    setlocale(LC_CTYPE, "C");
    assert_summary_file(snapshot_of_file(START, "native-10.3.3-steady.json"),
                        snapshot_of_file(START + 10, "native-10.3.3-steady.json"), true,
                        "summary-perf-ascii.txt");
}

/* The number of the last event received, and how long callbacks took, for each attribute. */
static void test_verbose(void **state)
{
    (void)state;
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    snapshot_t *previous = snapshot_of_file(START, "native-10.3.3-steady.json");
    snapshot_t *current = snapshot_of_file(START + 10, "native-10.3.3-lossy-detected.json");
    const summary_options_t options = {.perf = true, .verbose = true};
    char *text = print_with(previous, current, options);
    assert_string_equal(text, content_of("summary-verbose.txt"));
    free(text);
    text = print_with(NULL, current, (summary_options_t){.verbose = true});
    assert_non_null(strstr(text, "server counter"));
    assert_null(strstr(text, "by attribute"));
    free(text);
    setlocale(LC_CTYPE, "C");
    snapshot_destroy(&previous);
    snapshot_destroy(&current);
}

/* Events of many attributes, in any order, some without a name, and duplicates. */
static void test_rows_by_attribute(void **state)
{
    (void)state;
    response_receive_sample_t samples[] = {
        {.attr_name = (char *)"b", .process_micros = 3},
        {.attr_name = (char *)"a", .process_micros = 5},
        {.attr_name = NULL, .process_micros = 7},
        {.attr_name = (char *)"b", .process_micros = 1},
        {.attr_name = (char *)"a", .process_micros = 500, .discarded = true},
        {.attr_name = (char *)"c", .process_micros = NAN},
    };
    const response_t response = {.receive_samples = samples,
                                 .receive_sample_count = sizeof samples / sizeof *samples};
    size_t count = 0;
    perf_row_t *rows = perf_rows_by_attribute(&response, &count);
    assert_int_equal(count, 4);
    static const char *const labels[] = {"", "a", "b", "c"};
    static const size_t counts[] = {1, 1, 2, 0};
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(rows[i].label, labels[i]);
        assert_int_equal(rows[i].statistics.count, counts[i]);
    }
    assert_true(rows[2].statistics.mean == 2);
    free(rows);
    const response_t nothing = {0};
    rows = perf_rows_by_attribute(&nothing, &count);
    assert_int_equal(count, 0);
    free(rows);
}

/* What the consumer thread is doing, and what the agent misses, is a matter of findings. */
static void test_what_findings_say(void **state)
{
    (void)state;
    static const char before[] =
        "{\"version\": 1, \"agent\": {\"pid\": 1, \"uncounted\": 0}, \"server\": null, "
        "\"client\": {\"event_callbacks\": {}, \"consumer_thread\": {\"state\": \"polling\", "
        "\"topic\": null, \"state_micros\": 9000000, \"delayed_micros\": null}}}";
    static const char after[] =
        "{\"version\": 1, \"agent\": {\"pid\": 1, \"uncounted\": 7}, \"server\": null, "
        "\"client\": {\"event_callbacks\": {}, \"consumer_thread\": {\"state\": \"callbacks\", "
        "\"topic\": \"tango://h:1/a/b/c/x.idl5_change\", \"state_micros\": 5250000, "
        "\"delayed_micros\": 61000000}}}";
    assert_change(before, after, "dserver/srv/1: no change\n");
}

/* A subscription that lost events, it isn't known how many in total. */
static void test_at_least_so_many_are_lost(void **state)
{
    (void)state;
#define TOPIC_WITH(counts)                                                                         \
    "{\"version\": 1, \"agent\": {\"pid\": 1}, \"server\": null, \"client\": "                     \
    "{\"event_callbacks\": "                                                                       \
    "{\"a/b/c/x.idl5_change\": {\"event_count\": 10, \"missed_event_count\": 0, "                  \
    "\"discarded_event_count\": 0, \"callback_count\": 1, " counts "}}}}"
#define LOST(known, lost)                                                                          \
    TOPIC_WITH("\"known_lost_event_count\": " #known ", \"lost_event_count\": " #lost)
#define HEADING "        subscription         received  missed  LOST"
    assert_change(
        LOST(0, null),
        TOPIC_WITH("\"lost_event_count\": null, \"known_lost_event_count\": 12, "
                   "\"error_event_count\": 3"),
        "dserver/srv/1\n" HEADING
        "        in outages  discarded  errors  callbacks  publisher restarts  rate [1/s]\n"
        "  LOST  a/b/c/x.idl5_change        10       0  >=12 (+12)           -          0       3  "
        "        1                   -         0.0\n");
    assert_change(
        LOST(5, null), LOST(7, 7),
        "dserver/srv/1\n" HEADING
        "       in outages  discarded  errors  callbacks  publisher restarts  rate [1/s]\n"
        "  LOST  a/b/c/x.idl5_change        10       0     7 (+2)           -          0       -   "
        "       1                   -         0.0\n");
#undef HEADING
#undef LOST
}

/* A server that reports nothing while it doesn't know can't say when it happened. */
static void test_losses_of_an_unknown_time_are_no_news(void **state)
{
    (void)state;
    assert_change(TOPIC_WITH("\"lost_event_count\": null"), TOPIC_WITH("\"lost_event_count\": 105"),
                  "dserver/srv/1\n"
                  "  subscription         received  missed  lost  in outages  discarded  errors  "
                  "callbacks  publisher restarts  rate [1/s]\n"
                  "  a/b/c/x.idl5_change        10       0   105           -          0       -    "
                  "      1                   -         0.0\n");
    /* A gap that was detected is reported, though nobody knows its size. */
    assert_change(TOPIC_WITH("\"lost_event_count\": null"),
                  "{\"version\": 1, \"agent\": {\"pid\": 1}, \"server\": null, \"client\": "
                  "{\"event_callbacks\": {\"a/b/c/x.idl5_change\": {\"event_count\": 10, "
                  "\"missed_event_count\": 1, \"discarded_event_count\": 0, \"callback_count\": 1, "
                  "\"lost_event_count\": 105}}}}",
                  "dserver/srv/1\n"
                  "          subscription         received  missed       LOST  in outages  "
                  "discarded  errors  callbacks  publisher restarts  rate [1/s]\n"
                  "  MISSED  a/b/c/x.idl5_change        10       1 (+1)   105           -          "
                  "0       -          1                   -         0.0\n");
#undef TOPIC_WITH
}

/* An incomplete list doesn't show what is new and what is gone. */
static void test_a_list_that_is_not_whole(void **state)
{
    (void)state;
#define ANSWER(truncated, topics)                                                                  \
    "{'version': 1, 'agent': {'pid': 1, 'truncated': " truncated "}, 'client': "                   \
    "{'event_callbacks': {" topics "}}}"
#define X                                                                                          \
    "'x': {'event_count': 5000, 'missed_event_count': 3, 'lost_event_count': 100, "                \
    "'discarded_event_count': 0, 'callback_count': 1}"
    assert_change(ANSWER("null", X), ANSWER("{'event_callbacks': 1}", ""),
                  "dserver/srv/1: no change\n");
    assert_change(ANSWER("{'event_callbacks': 1}", ""), ANSWER("null", X),
                  "dserver/srv/1\n"
                  "  subscription  received  missed  lost  in outages  discarded  errors  "
                  "callbacks  publisher restarts  rate [1/s]\n"
                  "  x                 5000       3   100           -          0       -          "
                  "1                   -           -\n");
    /* What is new in a complete list is new, and everything is new in a new process. */
    assert_change(ANSWER("null", ""), ANSWER("{'event_callbacks': 1}", X),
                  "dserver/srv/1\n"
                  "             subscription  received          missed       LOST         in "
                  "outages  discarded  errors  callbacks  publisher restarts  rate [1/s]\n"
                  "  LOST, new  x                 5000 (+5000)       3 (+3)   100 (+100)           "
                  "-          0       -          1                   -           -\n");
    assert_change("{'version': 1, 'agent': {'pid': 2, 'truncated': {'event_callbacks': 1}}}",
                  ANSWER("null", X),
                  "dserver/srv/1: restarted, its counters started again; agent, process 1\n"
                  "             subscription  received          missed       LOST         in "
                  "outages  discarded  errors  callbacks  publisher restarts  rate [1/s]\n"
                  "  LOST, new  x                 5000 (+5000)       3 (+3)   100 (+100)           "
                  "-          0       -          1                   -           -\n");
#undef X
#undef ANSWER
}

/* What --top and JSON say of both. */
static void test_the_other_forms(void **state)
{
    (void)state;
#define ANSWER(truncated, topics)                                                                  \
    "{'version': 1, 'agent': {'pid': 1, 'truncated': {" truncated "}}, 'client': "                 \
    "{'event_callbacks': {" topics "}}}"
#define X(known) "'x': {'event_count': 9, 'known_lost_event_count': " #known "}"
    snapshot_t *before = snapshot_of(START - 10, ANSWER("'event_callbacks': 1", X(2)));
    snapshot_t *after = snapshot_of(START, ANSWER("'event_counters': 7", X(5) ", 'y': {}"));
    const summary_options_t options = {.top = 3};
    comparison_t *comparison = compare(before, after);
    shown_t *shown = shown_new(comparison, &(filter_t){.count = 0});
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    summary_print(out, shown, after, &options);
    memory_stream_close(out);
    assert_non_null(strstr(text, "  x                           received  dserver/srv/1         0.0"
                                 "   >=3\n"));
    free(text);
    out = memory_stream_open(&text, &size);
    summary_json_write(out, shown, after, &(summary_options_t){.top = 0});
    memory_stream_close(out);
    assert_non_null(strstr(text, "\"left_out\":{\"counters\":7,\"published\":0,"));
    assert_non_null(strstr(text, "\"lost\":5,\"lost_step\":3,\"lost_is_minimum\":true"));
    assert_non_null(strstr(text, "{\"topic\":\"y\",\"state\":null,"));
    free(text);
    shown_destroy(&shown);
    comparison_destroy(&comparison);
    snapshot_destroy(&before);
    snapshot_destroy(&after);
#undef X
#undef ANSWER
}

static void test_agent(void **state)
{
    (void)state;
    assert_summary_file(NULL, snapshot_of_file(START, "agent-full.json"), false,
                        "summary-agent.txt");
}

static void test_legacy(void **state)
{
    (void)state;
    assert_summary_file(NULL, snapshot_of_file(START, "legacy-both.json"), true,
                        "summary-legacy.txt");
}

static void test_failure(void **state)
{
    (void)state;
    assert_summary(snapshot_of_file(START, "native-10.3.3-lossy-detected.json"),
                   snapshot_of_file(START + 10, "native-10.3.3-publisher-gone.json"), true,
                   "2026-09-21T14:13:30+00:00  1 of 2 servers answered, 1 FAILED\n"
                   "dserver/srvp/pub: FAILED: answer: expected an object, found null\n"
                   "dserver/srvs/sub: no change\n"
                   "\n");
}

/* A snapshot of one server that failed. */
static snapshot_t *failed_snapshot(const char *error)
{
    snapshot_t *snapshot = snapshot_new(1);
    snapshot->replies[0].server = memory_string("dserver/srv/1");
    snapshot->replies[0].error = memory_string(error);
    return snapshot;
}

static void test_a_failure_is_told_when_it_changes(void **state)
{
    (void)state;
    assert_summary(failed_snapshot("down"), failed_snapshot("down"), false,
                   "1970-01-01T00:00:00+00:00  0 of 1 server answered, 1 FAILED\n"
                   "\n");
    assert_summary(failed_snapshot("down"), failed_snapshot("hangs"), false,
                   "1970-01-01T00:00:00+00:00  0 of 1 server answered, 1 FAILED\n"
                   "dserver/srv/1: FAILED: hangs\n"
                   "\n");
}

/* ---- one server at a time -------------------------------------------------------------------- */

#define AGENT(pid) "{'version': 1, 'agent': {'version': '0.1', 'pid': " #pid "}, "

static void test_no_change(void **state)
{
    (void)state;
    assert_change("{'version': 1}", "{'version': 1}", "dserver/srv/1: no change\n");
    assert_change("{'version': 1, 'client': {'not_connected': [{'last_heartbeat': '1'}]}}",
                  "{'version': 1, 'client': {'not_connected': [{'last_heartbeat': '2'}]}}",
                  "dserver/srv/1: no change, 1 still not connected\n");
}

static void test_nothing_to_tell_at_first(void **state)
{
    (void)state;
    assert_summary(NULL, snapshot_of(START, AGENT(7) "'server': {}}"), true,
                   "2026-09-21T14:13:20+00:00  1 of 1 server answered\n"
                   "dserver/srv/1: agent 0.1, process 7; no event streams\n"
                   "  performance monitoring is off\n"
                   "\n");
}

static void test_a_server_that_failed_before(void **state)
{
    (void)state;
    assert_change(
        "down", "{'server': {'event_counters': {'a': 1}}}",
        "dserver/srv/1: answers again: patched server; lost events are derived from its counters\n"
        "  published event stream  pushed\n"
        "  a                            0\n");
}

static void test_published_counts(void **state)
{
    (void)state;
    /* The built-in command gives the counter of the next event; the agent doesn't. */
    assert_change("{'version': 1, 'server': {'event_counters': {'a': 0, 'b': 1, 'c': null}}}",
                  "{'version': 1, 'server': {'event_counters': {'a': 1, 'b': 3, 'c': 5}}}",
                  "dserver/srv/1\n"
                  "  published event stream  pushed       rate [1/s]\n"
                  "  a                            0              0.0\n"
                  "  b                            2 (+2)         0.2\n"
                  "  c                            4                -\n");
    assert_change(AGENT(7) "'server': {'event_counters': {'a': 0, 'b': 1, 'c': 7, 'd': 1}}}",
                  AGENT(7) "'server': {'event_counters': {'a': 1, 'b': 301, 'd': null, 'e': 2}}}",
                  "dserver/srv/1\n"
                  "        published event stream  pushed         rate [1/s]\n"
                  "        a                            1   (+1)         0.1\n"
                  "        b                          301 (+300)        30.0\n"
                  "  gone  c                            7\n"
                  "        d                            -                  -\n"
                  "  new   e                            2   (+2)           -\n");
}

static void test_published_counter_wraps_and_restarts(void **state)
{
    (void)state;
    assert_change(
        "{'version': 1, 'server': {'event_counters': {'a': 4294967295, 'b': 3000000000}}}",
        "{'version': 1, 'server': {'event_counters': {'a': 5, 'b': 5}}}",
        "dserver/srv/1\n"
        "           published event stream  pushed       rate [1/s]\n"
        "           a                            4 (+6)         0.6\n"
        "  restart  b                            4 (+4)           -\n");
}

#define SUBSCRIPTION(counter, received, missed, lost, restarts)                                    \
    "'client': {'event_callbacks': {'tango://h:1/a/b/c/d.idl5_change': {'callback_count': 1, "     \
    "'server_counter': " #counter ", 'event_count': " #received ", 'missed_event_count': " #missed \
    ", 'lost_event_count': " #lost                                                                 \
    ", 'discarded_event_count': 1, 'publisher_restart_count': " #restarts "}}}}"

static void test_losses_come_first(void **state)
{
    (void)state;
    const char *format =
        AGENT(7) "'client': {'event_callbacks': {"
                 "'a': {'event_count': %d, 'missed_event_count': 0, 'lost_event_count': 0},"
                 "'b': {'event_count': %d, 'missed_event_count': %d, 'lost_event_count': %d},"
                 "'c': {'event_count': %d, 'missed_event_count': 9, 'lost_event_count': 99},"
                 "'d': {'event_count': %d, 'missed_event_count': %d, 'lost_event_count': %d}}}}";
    char before[1024];
    char after[1024];
    snprintf(before, sizeof before, format, 10, 10, 1, 5, 10, 10, 0, 0);
    snprintf(after, sizeof after, format, 20, 20, 2, 7, 20, 20, 1, 12);
    assert_change(before, after,
                  "dserver/srv/1\n"
                  "        subscription  received        missed       LOST        in outages  "
                  "discarded  errors  callbacks  publisher restarts  rate [1/s]\n"
                  "  LOST  d                   20 (+10)       1 (+1)    12 (+12)           -       "
                  "   -       -          -                   -         1.0\n"
                  "  LOST  b                   20 (+10)       2 (+1)     7  (+2)           -       "
                  "   -       -          -                   -         1.0\n"
                  "        a                   20 (+10)       0          0                 -       "
                  "   -       -          -                   -         1.0\n"
                  "        c                   20 (+10)       9         99                 -       "
                  "   -       -          -                   -         1.0\n");
}

static void test_publisher_restart(void **state)
{
    (void)state;
    /* Said by the agent ... */
    assert_change(AGENT(7) SUBSCRIPTION(100, 100, 0, 0, 0), AGENT(7) SUBSCRIPTION(3, 103, 0, 0, 1),
                  "(names without tango://h:1/)\n"
                  "dserver/srv/1\n"
                  "                     subscription         received       missed  lost  in "
                  "outages  discarded  errors  callbacks  publisher restarts       rate [1/s]\n"
                  "  publisher restart  a/b/c/d.idl5_change       103 (+3)       0     0           "
                  "-          1       -          1                   1 (+1)         0.3\n");
    /* ... and detected if no agent does. */
    assert_change("{'version': 1, " SUBSCRIPTION(100, 100, 0, null, null),
                  "{'version': 1, " SUBSCRIPTION(3, 103, 0, null, null),
                  "(names without tango://h:1/)\n"
                  "dserver/srv/1\n"
                  "                     subscription         received       missed  lost  "
                  "discarded  callbacks  rate [1/s]\n"
                  "  publisher restart  a/b/c/d.idl5_change       103 (+3)       0     -          "
                  "1          1         0.3\n");
    /* No restart: the counter wrapped. */
    assert_change(
        "{'version': 1, " SUBSCRIPTION(4294967295, 100, 0, null, null),
        "{'version': 1, " SUBSCRIPTION(2, 103, 0, null, null),
        "(names without tango://h:1/)\n"
        "dserver/srv/1\n"
        "  subscription         received       missed  lost  discarded  callbacks  rate [1/s]\n"
        "  a/b/c/d.idl5_change       103 (+3)       0    0*          1          1         0.3\n"
        "  * derived from counters, since 2026-09-21T14:13:10+00:00, when it was first seen\n");
}

static void test_counts_that_went_down(void **state)
{
    (void)state;
    /* A new subscription: no negative number, and no false increase. */
    assert_change(
        "{'version': 1, " SUBSCRIPTION(100, 100, 0, null, null),
        "{'version': 1, " SUBSCRIPTION(103, 3, 1, null, null),
        "(names without tango://h:1/)\n"
        "dserver/srv/1\n"
        "                 subscription         received       missed       LOST       discarded    "
        "   callbacks  rate [1/s]\n"
        "  LOST, restart  a/b/c/d.idl5_change         3 (+3)       1 (+1)  >=1* (+1)          1 "
        "(+1)          1           -\n"
        "  * derived from counters, since 2026-09-21T14:13:20+00:00, when it was first seen\n");
    /* If one count fell, the others started again too, however high they are now. */
    assert_change(
        "{'version': 1, " SUBSCRIPTION(100, 100, 5, null, null),
        "{'version': 1, " SUBSCRIPTION(300, 300, 0, null, null),
        "(names without tango://h:1/)\n"
        "dserver/srv/1\n"
        "           subscription         received         missed  lost  discarded       callbacks  "
        "rate [1/s]\n"
        "  restart  a/b/c/d.idl5_change       300 (+300)       0    0*          1 (+1)          1  "
        "         -\n"
        "  * derived from counters, since 2026-09-21T14:13:20+00:00, when it was first seen\n");
}

static void test_server_restart(void **state)
{
    (void)state;
    assert_change(AGENT(7) SUBSCRIPTION(100, 100, 0, 0, 0),
                  AGENT(8) SUBSCRIPTION(200, 150, 1, 2, 0),
                  "(names without tango://h:1/)\n"
                  "dserver/srv/1: restarted, its counters started again; agent 0.1, process 8\n"
                  "        subscription         received         missed       LOST       in "
                  "outages  discarded       errors  callbacks  rate [1/s]\n"
                  "  LOST  a/b/c/d.idl5_change       150 (+150)       1 (+1)     2 (+2)           "
                  "-          1 (+1)       -          1           -\n");
    assert_change(AGENT(7) "'server': {}}", AGENT(8) "'server': {}}",
                  "dserver/srv/1: restarted, its counters started again; agent 0.1, process 8\n");
    assert_change("{'version': 1}", AGENT(8) "'server': {}}",
                  "dserver/srv/1: its answers have another source now, so its counters can't be "
                  "compared; agent 0.1, process 8\n");
}

static void test_subscription_details(void **state)
{
    (void)state;
    assert_change("{'version': 1, 'client': {'event_callbacks': {"
                  "'a': {'callback_count': 2, 'channel_name': 'x'}, "
                  "'b': {'callback_count': 1, 'last_resubscribed': null}}}}",
                  "{'version': 1, 'client': {'event_callbacks': {"
                  "'a': {'callback_count': 1, 'channel_name': 'y'}, "
                  "'b': {'callback_count': 1, 'last_resubscribed': '2026-09-21T12:00:00'}}}}",
                  "dserver/srv/1\n"
                  "  subscription  received  missed  lost  discarded  callbacks          rate "
                  "[1/s]  resubscribed         now through channel\n"
                  "  a                    -       -     -          -          1 (was 2)           "
                  "-                       y\n"
                  "  b                    -       -     -          -          1                   "
                  "-  2026-09-21T12:00:00\n");
}

static void test_channels_and_not_connected(void **state)
{
    (void)state;
    assert_change(
        "{'version': 1, 'client': {'event_channels': {'tango://h:1/dserver/a/1': "
        "{'endpoint': 'tcp://h:2'}, 'tango://h:1/dserver/b/1': {'endpoint': 'tcp://h:3'}}, "
        "'not_connected': [{'device': 'a/b/c', 'attribute': 'd', 'event_type': 'change'}]}}",
        "{'version': 1, 'client': {'event_channels': {'tango://h:1/dserver/a/1': "
        "{'endpoint': 'tcp://h:9'}, 'tango://h:1/dserver/c/1': {}}, "
        "'not_connected': [{'device': 'e/f/g', 'attribute': 'h', 'event_type': 'periodic', "
        "'tango_host': 'other:1', 'last_heartbeat': '2026-09-21T12:00:00'},"
        "{'device': 'tango://h:1/i/j/k', 'event_type': 'interface_change'}]}}",
        "(names without tango://h:1/)\n"
        "dserver/srv/1\n"
        "        event channel  endpoint\n"
        "        dserver/a/1    tcp://h:9 (was tcp://h:2)\n"
        "  gone  dserver/b/1    tcp://h:3\n"
        "  new   dserver/c/1    -\n"
        "        not connected  event type        last heartbeat       tango host\n"
        "  gone  a/b/c/d        change\n"
        "  new   e/f/g/h        periodic          2026-09-21T12:00:00  other:1\n"
        "  new   i/j/k          interface_change\n");
}

#define CHANNEL(text)                                                                              \
    "{'version': 1, 'agent': {'pid': 1}, 'client': {'event_channels': {'c': {" text "}}}}"

/* Of the agent, which counts heartbeats; one more of them is no news. */
static void test_heartbeats_of_channels(void **state)
{
    (void)state;
    static const char once[] =
        CHANNEL("'endpoint': 'tcp://h:2', 'event_endpoint': 'tcp://h:3', 'heartbeat_count': 3, "
                "'missed_heartbeat_count': 0, 'last_heartbeat': 'T1'");
    assert_change(once,
                  CHANNEL("'endpoint': 'tcp://h:2', 'event_endpoint': 'tcp://h:3', "
                          "'heartbeat_count': 4, 'missed_heartbeat_count': 0, "
                          "'last_heartbeat': 'T2'"),
                  "dserver/srv/1: no change\n");
    assert_change(
        once,
        CHANNEL("'endpoint': 'tcp://h:2', 'event_endpoint': 'tcp://h:5', "
                "'heartbeat_count': 5, 'missed_heartbeat_count': 2, "
                "'last_heartbeat': 'T3'"),
        "dserver/srv/1\n"
        "  event channel  endpoint   heartbeats       missed heartbeats       events from "
        "                 last heartbeat\n"
        "  c              tcp://h:2           5 (+2)                  2 (+2)  tcp://h:5   "
        "(was tcp://h:3)  T3\n");
}

static void test_names_of_two_tango_hosts_are_whole(void **state)
{
    (void)state;
    assert_change("{'version': 1}",
                  "{'version': 1, 'server': {'event_counters': "
                  "{'tango://h:1/a/b/c/d.change': 2, 'tango://h:10/a/b/c/d.change': 3}}}",
                  "dserver/srv/1\n"
                  "       published event stream       pushed       rate [1/s]\n"
                  "  new  tango://h:1/a/b/c/d.change        1 (+1)           -\n"
                  "  new  tango://h:10/a/b/c/d.change       2 (+2)           -\n");
    assert_change("{'version': 1}",
                  "{'version': 1, 'server': {'event_counters': "
                  "{'tango://h:1/a/b/c/d.change': 2, 'a/b/c/d.change': 3}}}",
                  "dserver/srv/1\n"
                  "       published event stream      pushed       rate [1/s]\n"
                  "  new  a/b/c/d.change                   2 (+2)           -\n"
                  "  new  tango://h:1/a/b/c/d.change       1 (+1)           -\n");
}

static void test_text_from_the_network_is_harmless(void **state)
{
    (void)state;
    snapshot_t *snapshot =
        snapshot_of(START, "{'version': 1, 'agent': {'version': '\\u001b[31m', "
                           "'tango_version': '\\n10'}, 'server': {'event_counters': "
                           "{'tango://\\u001b[2J/\\u0007a\\u009b1m.change': 3}}, 'client': "
                           "{'event_channels': {'tango://\\u001b[2J/b': {'endpoint': '\\r', "
                           "'heartbeat_count': 0, 'missed_heartbeat_count': 0}}}}");
    assert_summary(NULL, snapshot, false,
                   "2026-09-21T14:13:20+00:00  1 of 1 server answered\n"
                   "(names without tango://?[2J/)\n"
                   "dserver/srv/1: agent ?[31m, Tango ?10\n"
                   "  published event stream  pushed\n"
                   "  ?a?1m.change                 3\n"
                   "  event channel  endpoint\n"
                   "  b              ?\n"
                   "\n");
    assert_summary(NULL, snapshot_of(START, "a\x1b]0;title\x07\nb"), false,
                   "2026-09-21T14:13:20+00:00  0 of 1 server answered, 1 FAILED\n"
                   "dserver/srv/1: FAILED: a?]0;title??b\n"
                   "\n");
}

/* ---- snapshots among themselves -------------------------------------------------------------- */

static void test_top_of_a_first_answer(void **state)
{
    (void)state;
    snapshot_t *now = snapshot_of(
        START, "{'version': 1, 'client': {'event_callbacks': {'a.x': {'server_counter': 100, "
               "'event_count': 90, 'missed_event_count': 3}}}}");
    comparison_t *comparison = compare(NULL, now);
    shown_t *shown = shown_new(comparison, &(filter_t){.count = 0});
    const summary_options_t options = {.top = 3};
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    summary_print(out, shown, now, &options);
    memory_stream_close(out);
    /* Nothing came since an answer before, and each jump is one event at least. */
    assert_string_equal(text, "2026-09-21T14:13:20+00:00  1 of 1 server answered\n"
                              "  stream (most losses first)            by             rate [1/s]  "
                              "lost before\n"
                              "  a.x                         received  dserver/srv/1           -  "
                              "        >=3\n\n");
    free(text);
    shown_destroy(&shown);
    comparison_destroy(&comparison);
    snapshot_destroy(&now);
}

static void test_time_zone(void **state)
{
    (void)state;
    setenv("TZ", "XST-5:45", 1);
    tzset();
    assert_summary(NULL, snapshot_of(START, "down"), false,
                   "2026-09-21T19:58:20+05:45  0 of 1 server answered, 1 FAILED\n"
                   "dserver/srv/1: FAILED: down\n"
                   "\n");
    setenv("TZ", "UTC", 1);
    tzset();
}

static void test_servers_are_matched_by_name(void **state)
{
    (void)state;
    snapshot_t *before = new_snapshot(START - 10, 2);
    before->replies[0].server = copy_of("dserver/gone/1");
    before->replies[0].response = answers_parse("{'version': 1}");
    before->replies[1].server = copy_of("dserver/srv/1");
    before->replies[1].response = answers_parse("{'version': 1}");
    assert_summary(before, snapshot_of(START, "{'version': 1}"), false,
                   "2026-09-21T14:13:20+00:00  1 of 1 server answered\n"
                   "dserver/srv/1: no change\n"
                   "\n");
}

/* An answer that the caller carried over from an earlier snapshot has its own time. */
static void test_rate_over_a_failure(void **state)
{
    (void)state;
    snapshot_t *before =
        snapshot_of(START - 10, AGENT(7) "'server': {'event_counters': {'a': 0}}}");
    before->replies[0].time.tv_sec = START - 40;
    assert_summary(before, snapshot_of(START, AGENT(7) "'server': {'event_counters': {'a': 1}}}"),
                   false,
                   "2026-09-21T14:13:20+00:00  1 of 1 server answered\n"
                   "dserver/srv/1\n"
                   "  published event stream  pushed       rate [1/s]\n"
                   "  a                            1 (+1)        <0.1\n"
                   "\n");
}

/* The clock was set back: no rate, and nothing else goes wrong. */
static void test_clock_set_back(void **state)
{
    (void)state;
    assert_summary(snapshot_of(START + 3600, AGENT(7) "'server': {'event_counters': {'a': 0}}}"),
                   snapshot_of(START, AGENT(7) "'server': {'event_counters': {'a': 1}}}"), false,
                   "2026-09-21T14:13:20+00:00  1 of 1 server answered\n"
                   "dserver/srv/1\n"
                   "  published event stream  pushed       rate [1/s]\n"
                   "  a                            1 (+1)           -\n"
                   "\n");
}

static void test_no_servers(void **state)
{
    (void)state;
    assert_summary(NULL, new_snapshot(START, 0), true,
                   "2026-09-21T14:13:20+00:00  0 of 0 servers answered\n\n");
    snapshot_t *none = NULL;
    snapshot_destroy(&none);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_snapshot),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_perf),
        cmocka_unit_test(test_verbose),
        cmocka_unit_test(test_rows_by_attribute),
        cmocka_unit_test(test_agent),
        cmocka_unit_test(test_at_least_so_many_are_lost),
        cmocka_unit_test(test_losses_of_an_unknown_time_are_no_news),
        cmocka_unit_test(test_a_list_that_is_not_whole),
        cmocka_unit_test(test_the_other_forms),
        cmocka_unit_test(test_what_findings_say),
        cmocka_unit_test(test_legacy),
        cmocka_unit_test(test_failure),
        cmocka_unit_test(test_a_failure_is_told_when_it_changes),
        cmocka_unit_test(test_no_change),
        cmocka_unit_test(test_nothing_to_tell_at_first),
        cmocka_unit_test(test_a_server_that_failed_before),
        cmocka_unit_test(test_published_counts),
        cmocka_unit_test(test_published_counter_wraps_and_restarts),
        cmocka_unit_test(test_losses_come_first),
        cmocka_unit_test(test_publisher_restart),
        cmocka_unit_test(test_counts_that_went_down),
        cmocka_unit_test(test_server_restart),
        cmocka_unit_test(test_subscription_details),
        cmocka_unit_test(test_channels_and_not_connected),
        cmocka_unit_test(test_heartbeats_of_channels),
        cmocka_unit_test(test_names_of_two_tango_hosts_are_whole),
        cmocka_unit_test(test_text_from_the_network_is_harmless),
        cmocka_unit_test(test_top_of_a_first_answer),
        cmocka_unit_test(test_time_zone),
        cmocka_unit_test(test_servers_are_matched_by_name),
        cmocka_unit_test(test_rate_over_a_failure),
        cmocka_unit_test(test_clock_set_back),
        cmocka_unit_test(test_no_servers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
