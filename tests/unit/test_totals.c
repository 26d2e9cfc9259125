/* The totals of a run, from a sequence of answers. */
#include "monitor/analysis/totals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "base/memory.h"
#include "cmocka_all.h"
#include "monitor/model/history.h"
#include "monitor/view/json/totals_json.h"
#include "monitor/view/text/totals_text.h"

/* One server's snapshot; a text without '{' is an error. */
static snapshot_t *snapshot_at(time_t time, const char *text)
{
    snapshot_t *snapshot = snapshot_new(1);
    snapshot->time.tv_sec = time;
    snapshot->replies[0].server = memory_string("dserver/srv/1");
    if (strchr(text, '{'))
        snapshot->replies[0].response = answers_parse(text);
    else
        snapshot->replies[0].error = memory_string(text);
    return snapshot;
}

typedef enum { AS_TEXT, AS_JSON } form_t;

/* The texts' answers, ten seconds apart, each compared with the last one that was an answer; the
 * caller frees the result. */
static char *totals_of(const char *const *texts, form_t form)
{
    totals_t *totals = totals_new();
    losses_t *losses = losses_new();
    history_t *history = history_new();
    for (size_t i = 0; texts[i]; i++) {
        snapshot_t *now = snapshot_at((time_t)(1000 + 10 * i), texts[i]);
        const time_t time = now->time.tv_sec;
        const snapshot_t *last = history_previous(history);
        losses_update(losses, last, now);
        comparison_t *comparison = comparison_new(last, now, losses);
        totals_add(totals, comparison, &(struct timespec){.tv_sec = time});
        comparison_destroy(&comparison);
        history_remember(history, &now);
    }
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    if (form == AS_JSON)
        totals_json_write(out, totals, NULL, NULL, 0);
    else
        totals_text_print(out, totals, NULL);
    assert_int_equal(fclose(out), 0);
    history_destroy(&history);
    losses_destroy(&losses);
    totals_destroy(&totals);
    assert_null(totals);
    return text;
}

static void assert_totals(const char *const *texts, const char *expected)
{
    char *text = totals_of(texts, AS_TEXT);
    assert_string_equal(text, expected);
    free(text);
}

#define PUSHED(pid, count)                                                                         \
    "{'version': 1, 'agent': {'version': '0.1', 'pid': " #pid                                      \
    "}, 'server': {'event_counters': {'a': " #count "}}}"
#define RECEIVED(count, missed, lost)                                                              \
    "{'version': 1, 'agent': {'version': '0.1', 'pid': 7}, 'client': {'event_callbacks': {'t': "   \
    "{'event_count': " #count ", 'missed_event_count': " #missed ", 'lost_event_count': " #lost    \
    "}}}}"

static void nothing_before_the_second_snapshot(void **state)
{
    (void)state;
    assert_totals((const char *const[]){NULL}, "");
    assert_totals((const char *const[]){PUSHED(7, 5), NULL}, "");
}

static void what_was_before_the_run_is_not_counted(void **state)
{
    (void)state;
    assert_totals((const char *const[]){PUSHED(7, 5), PUSHED(7, 5), PUSHED(7, 25), NULL},
                  "In all: 3 polls of 1 server in 20.0 s, 0 failed; no subscriptions watched\n"
                  "  published event stream  pushed  rate [1/s]  by\n"
                  "  a                           20         1.0  dserver/srv/1\n"
                  "\n");
}

static void restarts_and_failures_are_added_up(void **state)
{
    (void)state;
    /* 10 before the restart, 3 after it; another 4 while it failed. */
    assert_totals((const char *const[]){PUSHED(7, 5), PUSHED(7, 15), PUSHED(8, 3), "down", "down",
                                        PUSHED(8, 7), NULL},
                  "In all: 6 polls of 1 server in 50.0 s, 2 failed; no subscriptions watched\n"
                  "  server         polls  failed  restarts\n"
                  "  dserver/srv/1      6       2         1\n"
                  "  published event stream  pushed  rate [1/s]  by\n"
                  "  a                           17         0.3  dserver/srv/1\n"
                  "\n");
}

static void losses_are_added_up(void **state)
{
    (void)state;
    assert_totals((const char *const[]){RECEIVED(100, 1, 50), RECEIVED(150, 2, 60),
                                        RECEIVED(150, 2, 60), RECEIVED(2, 0, 0), RECEIVED(9, 1, 4),
                                        NULL},
                  "In all: 5 polls of 1 server in 40.0 s, 0 failed; 14 events LOST\n"
                  "  subscription  received  rate [1/s]  missed  LOST  by\n"
                  "  t                   59         1.5       2    14  dserver/srv/1\n"
                  "\n");
    /* A server that doesn't count losses reports none. */
    assert_totals(
        (const char *const[]){RECEIVED(1, 0, null), RECEIVED(3, 1, null), NULL},
        "In all: 2 polls of 1 server in 10.0 s, 0 failed; whether events were LOST isn't known\n"
        "  subscription  received  rate [1/s]  missed  LOST  by\n"
        "  t                    2         0.2       1     -  dserver/srv/1\n"
        "\n");
}

static void streams_that_come_during_the_run_count_whole(void **state)
{
    (void)state;
    assert_totals((const char *const[]){"{'version': 1, 'agent': {'pid': 7}, 'server': {}}",
                                        PUSHED(7, 12), NULL},
                  "In all: 2 polls of 1 server in 10.0 s, 0 failed; no subscriptions watched\n"
                  "  published event stream  pushed  rate [1/s]  by\n"
                  "  a                           12         1.2  dserver/srv/1\n"
                  "\n");
    /* The built-in command gives the counter of the next event. */
    assert_totals((const char *const[]){"{'version': 1, 'server': {}}",
                                        "{'version': 1, 'server': {'event_counters': {'a': 13}}}",
                                        NULL},
                  "In all: 2 polls of 1 server in 10.0 s, 0 failed; no subscriptions watched\n"
                  "  published event stream  pushed  rate [1/s]  by\n"
                  "  a                           12         1.2  dserver/srv/1\n"
                  "\n");
}

#define ANSWER(truncated, topics)                                                                  \
    "{'version': 1, 'agent': {'pid': 7, 'truncated': " truncated "}, 'client': "                   \
    "{'event_callbacks': {" topics "}}}"
#define TOPIC(received, lost) "'t': {'event_count': " #received ", 'lost_event_count': " #lost "}"
#define KNOWN(received, known, lost)                                                               \
    ANSWER("null", "'t': {'event_count': " #received ", 'lost_event_count': " #lost                \
                   ", 'known_lost_event_count': " #known "}")

/* The last line of text, and all of JSON, say how many were lost. */
static void assert_lost(const char *const *texts, const char *sum, const char *row,
                        const char *sum_json, const char *row_json)
{
    char *text = totals_of(texts, AS_TEXT);
    char *json = totals_of(texts, AS_JSON);
    char *line = memory_format("; %s\n", sum);
    char *cell = memory_format("  %s  dserver/srv/1\n", row);
    if (!strstr(text, line) || (*row && !strstr(text, cell)))
        fail_msg("no %s or %s in %s", line, cell, text);
    if (!strstr(json, sum_json) || !strstr(json, row_json))
        fail_msg("no %s or %s in %s", sum_json, row_json, json);
    free(text);
    free(json);
    free(line);
    free(cell);
}

#define UNKNOWN         "whether events were LOST isn't known"
#define RECEIVED_AND(n) "\"received\":" #n ",\"missed\":0,"
#define EXACTLY(n)      "\"lost\":" #n ",\"lost_is_minimum\":false"
#define AT_LEAST(n)     "\"lost\":" #n ",\"lost_is_minimum\":true"

static void more_may_be_lost_than_is_known(void **state)
{
    (void)state;
    assert_lost((const char *const[]){KNOWN(0, 0, 0), KNOWN(1, 0, null), KNOWN(9, 5, null), NULL},
                ">=5 events LOST", ">=5", AT_LEAST(5), AT_LEAST(5));
    /* Those that were lost before the first that is known aren't known by that either. */
    assert_lost((const char *const[]){KNOWN(0, 0, 0), KNOWN(1, 0, null), KNOWN(9, 5, 5), NULL},
                ">=5 events LOST", ">=5", AT_LEAST(5), AT_LEAST(5));
    /* None is known to be lost, which doesn't mean that none is. */
    assert_lost(
        (const char *const[]){RECEIVED(1, 0, 0), RECEIVED(2, 0, 0), RECEIVED(9, 0, null), NULL},
        UNKNOWN, "   -", EXACTLY(null), EXACTLY(null));
    assert_lost((const char *const[]){RECEIVED(1, 0, 0), RECEIVED(9, 0, null), NULL}, UNKNOWN,
                "   -", EXACTLY(null), EXACTLY(null));
    /* What wasn't known when a process ended is never known. */
    assert_lost((const char *const[]){KNOWN(0, 0, 0), KNOWN(9, 5, null), KNOWN(2, 0, 0),
                                      KNOWN(9, 1, 1), NULL},
                ">=6 events LOST", ">=6", AT_LEAST(6), AT_LEAST(6));
}

static void a_count_that_was_unknown_meanwhile_is_not_counted_twice(void **state)
{
    (void)state;
    assert_lost(
        (const char *const[]){RECEIVED(1, 0, 100), RECEIVED(2, 0, null), RECEIVED(9, 0, 105), NULL},
        ">=5 events LOST", ">=5", AT_LEAST(5), AT_LEAST(5));
    assert_lost(
        (const char *const[]){KNOWN(1, 100, 100), KNOWN(2, 100, null), KNOWN(9, 105, 105), NULL},
        ">=5 events LOST", ">=5", AT_LEAST(5), AT_LEAST(5));
    /* What it was at first isn't known, and so neither is what came to it by the second answer. */
    assert_lost(
        (const char *const[]){RECEIVED(1, 0, null), RECEIVED(2, 0, 100), RECEIVED(9, 0, 103), NULL},
        ">=3 events LOST", ">=3", AT_LEAST(3), AT_LEAST(3));
#define STREAM(count)                                                                              \
    "{'version': 1, 'agent': {'pid': 7}, 'server': {'event_streams': {'a': "                       \
    "{'pushed_event_count': " #count "}}}}"
    assert_totals((const char *const[]){STREAM(10), STREAM(null), STREAM(12), NULL},
                  "In all: 3 polls of 1 server in 20.0 s, 0 failed; no subscriptions watched\n"
                  "  published event stream  pushed  rate [1/s]  by\n"
                  "  a                            2         0.1  dserver/srv/1\n"
                  "\n");
    assert_totals((const char *const[]){STREAM(null), STREAM(10), STREAM(null), STREAM(12), NULL},
                  "In all: 4 polls of 1 server in 30.0 s, 0 failed; no subscriptions watched\n"
                  "  published event stream  pushed  rate [1/s]  by\n"
                  "  a                            2         0.1  dserver/srv/1\n"
                  "\n");
#undef STREAM
}

static void what_an_answer_leaves_out_is_not_counted_again(void **state)
{
    (void)state;
#define WITHOUT ANSWER("{'event_callbacks': 1}", "")
    assert_lost((const char *const[]){ANSWER("null", TOPIC(5000, 100)), WITHOUT,
                                      ANSWER("null", TOPIC(5001, 100)), NULL},
                "0 events LOST", "   0", EXACTLY(0), RECEIVED_AND(1) EXACTLY(0));
    /* Events in between are included, however long it was left out. */
    assert_lost((const char *const[]){ANSWER("null", TOPIC(5000, 100)), WITHOUT, WITHOUT,
                                      ANSWER("null", TOPIC(5009, 103)), NULL},
                "3 events LOST", "   3", EXACTLY(3), RECEIVED_AND(9) EXACTLY(3));
    /* One that was never seen before: it isn't known how much of it is from this run. */
    assert_lost((const char *const[]){WITHOUT, ANSWER("null", TOPIC(5000, 100)),
                                      ANSWER("null", TOPIC(5009, 103)), NULL},
                ">=3 events LOST", ">=3", AT_LEAST(3), RECEIVED_AND(9) AT_LEAST(3));
    /* Nor for a process that started during the run, if it wasn't shown at once. */
    assert_lost((const char *const[]){ANSWER("null", TOPIC(5000, 100)),
                                      "{'version': 1, 'agent': {'pid': 8, 'truncated': "
                                      "{'event_callbacks': 1}}}",
                                      "{'version': 1, 'agent': {'pid': 8}, 'client': "
                                      "{'event_callbacks': {" TOPIC(5001, 101) "}}}",
                                      NULL},
                UNKNOWN, "", EXACTLY(null), RECEIVED_AND(0) EXACTLY(null));
#undef WITHOUT
}

#define BUILT_IN(streams, topics)                                                                  \
    "{'version': 1, 'server': {'event_counters': {" streams "}}, 'client': {'event_callbacks': "   \
    "{" topics "}}}"
#define NUMBERED(number, count)                                                                    \
    "'t.x': {'server_counter': " #number ", 'event_count': " #count ", 'missed_event_count': 0}"

static void what_becomes_unknown_between_events_is_not_zero(void **state)
{
    (void)state;
    /* The publisher was restarted, and no event of it has arrived. */
    assert_lost((const char *const[]){BUILT_IN("'t.x': 101", NUMBERED(100, 100)),
                                      BUILT_IN("'t.x': 101", NUMBERED(100, 100)),
                                      BUILT_IN("'t.x': 1", NUMBERED(100, 100)),
                                      BUILT_IN("'t.x': 1", NUMBERED(100, 100)), NULL},
                UNKNOWN, "", EXACTLY(null), EXACTLY(null));
}

static void what_nobody_watches_is_not_zero(void **state)
{
    (void)state;
    char *json = totals_of((const char *const[]){BUILT_IN("", NUMBERED(100, 100)),
                                                 BUILT_IN("", NUMBERED(105, 105)), NULL},
                           AS_JSON);
    assert_non_null(strstr(json, "\"lost_is_derived\":true,\"not_received\":null,\"servers\""));
    assert_non_null(strstr(json, "\"lost_is_derived\":true,\"not_received\":null}"));
    free(json);
}

static void a_server_that_answers_in_turns_in_two_ways(void **state)
{
    (void)state;
    /*
     * Each source shows another stream and another topic: it isn't known how much of them is new.
     */
#define THE_AGENTS ANSWER("null", TOPIC(5000, 100)) /* and of the built-in command: */
#define THE_OTHERS BUILT_IN("'a': 1001", NUMBERED(700, 600))
    char *json = totals_of(
        (const char *const[]){THE_AGENTS, THE_OTHERS, THE_AGENTS, THE_OTHERS, NULL}, AS_JSON);
    assert_non_null(strstr(json, "\"stream\":\"a\",\"pushed\":0}"));
    assert_non_null(strstr(json, "\"topic\":\"t\",\"received\":0,\"missed\":0,\"lost\":null"));
    assert_non_null(strstr(json, "\"topic\":\"t.x\",\"received\":0,\"missed\":0,\"lost\":null"));
    free(json);
}

static void counts_that_there_are_no_numbers_for(void **state)
{
    (void)state;
#define MANY "9223372036854775807"
#define WITH(counter, count, missed)                                                               \
    BUILT_IN("'a': " count ", 'b': " count,                                                        \
             "'t.x': {'server_counter': " counter ", 'event_count': " count                        \
             ", 'missed_event_count': " missed "}, 't.y': {'server_counter': " counter             \
             ", 'event_count': " count ", 'missed_event_count': " missed "}")
    char *json = totals_of((const char *const[]){WITH("0", "0", "0"), WITH(MANY, "1", "1"),
                                                 WITH("3", MANY, "2"), WITH("1", "0", "0"),
                                                 WITH(MANY, "1", MANY), WITH("2", "0", "0"),
                                                 WITH(MANY, "1", "1"), NULL},
                           AS_JSON);
    assert_non_null(strstr(json, "\"lost\":" MANY ",\"lost_is_minimum\":true"));
    free(json);
}

/* A server whose only stream has another name each time. */
static void a_stream_of_each_poll(totals_t *totals, int64_t polls)
{
    losses_t *losses = losses_new();
    history_t *history = history_new();
    for (int64_t i = 0; i < polls; i++) {
        char *text = memory_format("{'version': 1, 'agent': {'pid': 7}, 'server': {'event_counters'"
                                   ": {'s%lld': %d}}}",
                                   (long long)i, i == 5 ? 1000 : 2);
        snapshot_t *now = snapshot_at((time_t)(1000 + i), text);
        const snapshot_t *last = history_previous(history);
        losses_update(losses, last, now);
        comparison_t *comparison = comparison_new(last, now, losses);
        totals_add(totals, comparison, &now->time);
        comparison_destroy(&comparison);
        history_remember(history, &now);
        free(text);
    }
    history_destroy(&history);
    losses_destroy(&losses);
}

static void streams_without_end_share_a_row(void **state)
{
    (void)state;
    totals_t *totals = totals_new();
    const int64_t polls = TOTALS_MAX_STREAMS * 2 + 7;
    a_stream_of_each_poll(totals, polls);
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    totals_json_write(out, totals, NULL, NULL, 0);
    memory_stream_close(out);
    int64_t rows = 0;
    int64_t sum = 0;
    for (const char *at = text; (at = strstr(at, "\"stream\":\"")); at++)
        rows++;
    for (const char *at = text; (at = strstr(at, "\"pushed\":")); at++)
        sum += strtoll(at + strlen("\"pushed\":"), NULL, 10);
    assert_true(rows <= TOTALS_MAX_STREAMS);
    /* The counts of the first answer are from before. */
    assert_int_equal(sum, (polls - 2) * 2 + 1000);
    assert_non_null(strstr(text, "\"stream\":\"s5\",\"pushed\":1000"));
    assert_non_null(strstr(text, "\"more_published\":{\"streams\":"));
    free(text);
    totals_destroy(&totals);
}

static void streams_that_share_a_row_are_counted_once(void **state)
{
    (void)state;
    enum { STREAMS = TOTALS_MAX_STREAMS + TOTALS_MAX_STREAMS / 4, POLLS = 4 };
    char *texts[POLLS + 1] = {NULL};
    for (int i = 0; i < POLLS; i++) {
        size_t size = 0;
        FILE *out = open_memstream(&texts[i], &size);
        fputs("{'version': 1, 'agent': {'pid': 7}, 'server': {'event_counters': {", out);
        for (int j = 0; j < STREAMS; j++)
            fprintf(out, "%s's%d': %d", j > 0 ? "," : "", j, i * 2);
        fputs("}}}", out);
        fclose(out);
    }
    char *json = totals_of((const char *const *)texts, AS_JSON);
    size_t rows = 0;
    for (const char *at = json; (at = strstr(at, "\"stream\":\"")); at++)
        rows++;
    char *rest = memory_format("\"more_published\":{\"streams\":%zu,", STREAMS - rows);
    assert_non_null(strstr(json, rest));
    free(rest);
    free(json);
    for (int i = 0; i < POLLS; i++)
        free(texts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_before_the_second_snapshot),
        cmocka_unit_test(what_was_before_the_run_is_not_counted),
        cmocka_unit_test(restarts_and_failures_are_added_up),
        cmocka_unit_test(losses_are_added_up),
        cmocka_unit_test(streams_that_come_during_the_run_count_whole),
        cmocka_unit_test(more_may_be_lost_than_is_known),
        cmocka_unit_test(a_count_that_was_unknown_meanwhile_is_not_counted_twice),
        cmocka_unit_test(what_an_answer_leaves_out_is_not_counted_again),
        cmocka_unit_test(what_becomes_unknown_between_events_is_not_zero),
        cmocka_unit_test(what_nobody_watches_is_not_zero),
        cmocka_unit_test(a_server_that_answers_in_turns_in_two_ways),
        cmocka_unit_test(counts_that_there_are_no_numbers_for),
        cmocka_unit_test(streams_without_end_share_a_row),
        cmocka_unit_test(streams_that_share_a_row_are_counted_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
