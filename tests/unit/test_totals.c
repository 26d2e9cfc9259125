/* The totals of a run, out of a row of answers. */
#include "monitor/totals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "cmocka_all.h"
#include "response/memory.h"

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

/* The texts' answers, ten seconds apart, each compared with the last one that was an answer. */
static void assert_totals(const char *const *texts, const char *expected)
{
    totals_t *totals = totals_new(&(stream_filter_t){.count = 0});
    snapshot_t *last = NULL;
    for (size_t i = 0; texts[i]; i++) {
        snapshot_t *now = snapshot_at((time_t)(1000 + 10 * i), texts[i]);
        totals_add(totals, last, now);
        if (now->replies[0].response) {
            snapshot_destroy(&last);
            last = now;
        } else {
            snapshot_destroy(&now);
        }
    }
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    totals_print(totals, out, NULL);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, expected);
    free(text);
    snapshot_destroy(&last);
    totals_destroy(&totals);
    assert_null(totals);
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
                  "In all: 3 polls of 1 server in 20.0 s, 0 failed; 0 events LOST\n"
                  "  published event stream  pushed  rate [1/s]\n"
                  "  a                           20         1.0\n"
                  "\n");
}

static void restarts_and_failures_are_added_up(void **state)
{
    (void)state;
    /* 10 before the restart, 3 after it; another 4 while it failed. */
    assert_totals((const char *const[]){PUSHED(7, 5), PUSHED(7, 15), PUSHED(8, 3), "down", "down",
                                        PUSHED(8, 7), NULL},
                  "In all: 6 polls of 1 server in 50.0 s, 2 failed; 0 events LOST\n"
                  "  server         polls  failed  restarts\n"
                  "  dserver/srv/1      6       2         1\n"
                  "  published event stream  pushed  rate [1/s]\n"
                  "  a                           17         0.3\n"
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
    /* Who doesn't count losses has none to tell of. */
    assert_totals((const char *const[]){RECEIVED(1, 0, null), RECEIVED(3, 1, null), NULL},
                  "In all: 2 polls of 1 server in 10.0 s, 0 failed; 0 events LOST\n"
                  "  subscription  received  rate [1/s]  missed  LOST  by\n"
                  "  t                    2         0.2       1     -  dserver/srv/1\n"
                  "\n");
}

static void streams_that_come_during_the_run_count_whole(void **state)
{
    (void)state;
    assert_totals((const char *const[]){"{'version': 1, 'agent': {'pid': 7}, 'server': {}}",
                                        PUSHED(7, 12), NULL},
                  "In all: 2 polls of 1 server in 10.0 s, 0 failed; 0 events LOST\n"
                  "  published event stream  pushed  rate [1/s]\n"
                  "  a                           12         1.2\n"
                  "\n");
    /* The built-in command shows the counter of the event to come. */
    assert_totals((const char *const[]){"{'version': 1, 'server': {}}",
                                        "{'version': 1, 'server': {'event_counters': {'a': 13}}}",
                                        NULL},
                  "In all: 2 polls of 1 server in 10.0 s, 0 failed; 0 events LOST\n"
                  "  published event stream  pushed  rate [1/s]\n"
                  "  a                           12         1.2\n"
                  "\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_before_the_second_snapshot),
        cmocka_unit_test(what_was_before_the_run_is_not_counted),
        cmocka_unit_test(restarts_and_failures_are_added_up),
        cmocka_unit_test(losses_are_added_up),
        cmocka_unit_test(streams_that_come_during_the_run_count_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
