/* Durations from histograms, the time between answers, and narrow tables. */
#include "cmocka_all.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "base/memory.h"
#include "base/printable.h"
#include "monitor/analysis/comparison.h"
#include "monitor/view/text/text_table.h"

static const response_histogram_t *histogram_of(const response_t *response)
{
    return response->publishers[0].push_event;
}

static response_t *answer_with(const char *buckets)
{
    char *text = memory_format("{'version': 1, 'agent': {}, 'server': {'event_streams': {'s': "
                               "{'push_event_histogram': {'buckets': [%s], 'count': 1}}}}}",
                               buckets);
    response_t *response = answers_parse(text);
    free(text);
    return response;
}

static void test_durations(void **state)
{
    (void)state;
    response_t *before = answer_with("[1000, 2000, 50], [4000, 5000, 2]");
    response_t *after =
        answer_with("[null, 1000, 1], [1000, 2000, 140], [4000, 5000, 10], [9000, null, 1]");
    duration_t all = durations_between(NULL, histogram_of(after));
    assert_int_equal(all.count, 152);
    assert_true(all.median_micros == 1.5);
    assert_true(all.percentile_90_micros == 1.5);
    assert_true(all.percentile_99_micros == 4.5);
    assert_true(all.maximum_micros == 9);
    duration_t between = durations_between(histogram_of(before), histogram_of(after));
    assert_int_equal(between.count, 1 + 90 + 8 + 1);
    assert_true(between.median_micros == 1.5);
    assert_true(between.percentile_99_micros == 4.5);
    /* Nothing new, and nothing known. */
    assert_int_equal(durations_between(histogram_of(after), histogram_of(after)).count, 0);
    assert_true(isnan(durations_between(NULL, NULL).median_micros));
    /* Counts that no server has counted, of which there are more than a number holds. */
    response_t *hostile = answer_with("[1000, 2000, 9223372036854775807], "
                                      "[2000, 3000, 9223372036854775807], [4000, 5000, 1]");
    all = durations_between(NULL, histogram_of(hostile));
    assert_int_equal(all.count, INT64_MAX);
    assert_true(all.percentile_90_micros == 2.5);
    response_destroy(&hostile);
    response_destroy(&before);
    response_destroy(&after);
}

/* The seconds between two answers of a server; wall: by the time of day. */
static double apart_in(bool recording, int64_t wall, double before, double after)
{
    snapshot_t *snapshots[2];
    for (size_t i = 0; i < 2; i++) {
        snapshots[i] = snapshot_new(1);
        snapshots[i]->time.tv_sec = (time_t)(1000 + (i > 0 ? wall : 0));
        snapshots[i]->replies[0].server = memory_string("dserver/s/1");
        snapshots[i]->replies[0].response = answers_parse("{'version': 1}");
        snapshots[i]->replies[0].answered = i > 0 ? after : before;
        snapshots[i]->is_recorded = recording;
    }
    losses_t *losses = losses_new();
    losses_update(losses, NULL, snapshots[0]);
    losses_update(losses, snapshots[0], snapshots[1]);
    comparison_t *comparison = comparison_new(snapshots[0], snapshots[1], losses);
    const double seconds = comparison->parts[0].seconds;
    comparison_destroy(&comparison);
    losses_destroy(&losses);
    snapshot_destroy(&snapshots[0]);
    snapshot_destroy(&snapshots[1]);
    return seconds;
}

static double apart(int64_t wall, double before, double after)
{
    return apart_in(false, wall, before, after);
}

static void test_seconds_between_answers(void **state)
{
    (void)state;
    /* A server that took 4 s, and a clock that was set back. */
    assert_true(apart(10, 50.5, 64.5) == 14);
    assert_true(apart(-3600, 50.5, 60.5) == 10);
    /* A recording without it, or from before the computer was rebooted. */
    assert_true(apart(10, 0, 0) == 10);
    assert_true(apart(10, 0, 64.5) == 10);
    assert_true(apart(600, 9000, 20) == 600);
    /* Of a later time after its start than before. */
    assert_true(apart_in(true, 600, 90, 100) == 600);
    assert_true(apart_in(true, 60, 90, 100) == 10);
    assert_true(apart_in(true, -60, 90, 100) == 10);
    /* A clock that was set soon after the start, by as much as one likes. */
    assert_true(apart(1000000, 90, 100) == 10);
}

static void shortened(const char *text, size_t width, const char *expected)
{
    char *copy = printable_shorten(text, width, true);
    assert_string_equal(copy, expected);
    assert_true(printable_width(copy) <= width);
    free(copy);
}

static void test_narrow_tables(void **state)
{
    (void)state;
    shortened("abc", 3, "abc");
    shortened("abcdefghij", 7, "abcd\u2026ij");
    shortened("abcdefghij", 2, "a\u2026");
    shortened("abcdefghij", 1, "\u2026");
    shortened("\u4e2d\u4e2d\u4e2d\u4e2d", 5, "\u4e2d\u2026\u4e2d");
    char *ascii = printable_shorten("abcdefghij", 8, false);
    assert_string_equal(ascii, "abcd...j");
    free(ascii);

    text_table_t *table = text_table_new();
    text_table_column(table, "name", TEXT_TABLE_LEFT);
    text_table_column(table, "count", TEXT_TABLE_RIGHT);
    text_table_column(table, "remark", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    text_table_cell(table, "a name of thirty-five characters or so");
    text_table_cell(table, "12345");
    text_table_cell(table, "something");
    text_table_row_color(table, COLOR_ALARM);
    for (size_t width = 19; width < 70; width++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = memory_stream_open(&text, &size);
        text_table_print(table, out, "  ", &(text_style_t){.width = width});
        memory_stream_close(out);
        for (char *line = text; *line; line = strchr(line, '\n') + 1) {
            const size_t length = (size_t)(strchr(line, '\n') - line);
            assert_true(length <= (width < 21 ? 21 : width));
        }
        assert_non_null(strstr(text, "12345"));
        assert_true((strstr(text, "something") != NULL) == (width >= 32));
        free(text);
    }
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    text_table_print(table, out, "", &(text_style_t){.color = true});
    memory_stream_close(out);
    assert_non_null(strstr(text, "\033[1;31ma name"));
    assert_non_null(strstr(text, "something\033[0m\n"));
    free(text);
    text_table_destroy(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_seconds_between_answers),
        cmocka_unit_test(test_narrow_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
