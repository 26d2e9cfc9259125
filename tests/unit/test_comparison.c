/* Durations from histograms, and which streams a pattern takes. */
#include "cmocka_all.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "monitor/comparison.h"
#include "monitor/text_table.h"
#include "response/memory.h"
#include "response/printable.h"

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
    response_destroy(&before);
    response_destroy(&after);
}

static bool takes(const char *pattern, const char *name)
{
    char *patterns[] = {(char *)(uintptr_t)pattern};
    const stream_filter_t filter = {.patterns = patterns, .count = 1};
    return stream_filter_takes(&filter, name);
}

static void test_patterns(void **state)
{
    (void)state;
    const char *topic = "tango://h:10000/a/b/c/attr.idl5_change";
    const stream_filter_t all = {.count = 0};
    assert_true(stream_filter_takes(&all, topic));
    assert_true(takes(topic, topic));
    assert_true(takes("a/b/c/attr.idl5_change", topic));
    assert_true(takes("a/b/c/attr.change", topic));
    assert_true(takes("A/B/c/ATTR", topic));
    assert_true(takes("tango://h:10000/a/b/c/attr", topic));
    assert_true(takes("a/*", topic));
    assert_true(takes("*.change", topic));
    assert_true(takes("a/?/c/*", topic));
    assert_false(takes("a/b/c", topic));
    assert_false(takes("*.periodic", topic));
    assert_false(takes("b/*", topic));
    assert_true(takes("a/b/c/attr", "a/b/c/attr"));
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
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_narrow_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
