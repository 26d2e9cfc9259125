#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cmocka_all.h"
#include "monitor/view/live/drawing/canvas.h"

/* What the canvas shows, as text. */
static void assert_shows(const canvas_t *canvas, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    canvas_print(canvas, out);
    memory_stream_close(out);
    assert_string_equal(text, expected);
    free(text);
}

static void test_text_is_cut_at_its_width(void **state)
{
    (void)state;
    canvas_t *canvas = canvas_new(2, 10, true);
    assert_int_equal(canvas_text(canvas, 0, 2, 4, LOOK_BOLD, "abcdefg"), 6);
    assert_int_equal(canvas_text(canvas, 1, 1, 6, LOOK_BOLD, "ab"), 3);
    assert_shows(canvas, "  abcd\n ab\n");
    assert_int_equal(canvas_cell(canvas, 0, 1)->look, LOOK_PLAIN);
    assert_int_equal(canvas_cell(canvas, 0, 2)->look, LOOK_BOLD);
    assert_int_equal(canvas_cell(canvas, 1, 6)->look, LOOK_BOLD); /* its blanks, too */
    assert_int_equal(canvas_cell(canvas, 1, 7)->look, LOOK_PLAIN);
    canvas_text(canvas, 0, 1, 4, LOOK_PLAIN, "x");
    assert_shows(canvas, " x   d\n ab\n");
    canvas_destroy(&canvas);
}

static void test_nothing_is_drawn_outside(void **state)
{
    (void)state;
    canvas_t *canvas = canvas_new(2, 4, true);
    canvas_text(canvas, -1, 0, 4, LOOK_BOLD, "no");
    canvas_text(canvas, 2, 0, 4, LOOK_BOLD, "no");
    canvas_text(canvas, 0, 4, 9, LOOK_BOLD, "no");
    canvas_text(canvas, 0, 0, -3, LOOK_BOLD, "no");
    canvas_text(canvas, 1, -2, 100, LOOK_BOLD, "abcdefghij");
    canvas_bar(canvas, 5, -2, 3, 1, LOOK_BAR);
    canvas_set_look(canvas, 0, 2, 1000000000, LOOK_BAR);
    assert_shows(canvas, "\ncdef\n");
    assert_int_equal(canvas_cell(canvas, 7, 0)->character, L' ');
    canvas_clear(canvas, 0, 0);
    canvas_text(canvas, 0, 0, 4, LOOK_BOLD, "no");
    assert_shows(canvas, "");
    canvas_clear(canvas, 1, 3);
    canvas_text(canvas, 0, 0, INT32_MAX, LOOK_BOLD, "long text");
    assert_shows(canvas, "lon\n");
    canvas_destroy(&canvas);
}

static void test_only_printable_characters(void **state)
{
    (void)state;
    canvas_t *canvas = canvas_new(1, 12, true);
    canvas_text(canvas, 0, 0, 12, LOOK_PLAIN, "a\033[1mb\xff\u202e\n\u00e4");
    assert_shows(canvas, "a?[1mb???\u00e4\n");
    canvas_destroy(&canvas);
    canvas = canvas_new(1, 12, false);
    canvas_text(canvas, 0, 0, 12, LOOK_PLAIN, "a\u00e4\u4e2d\u0301.");
    assert_shows(canvas, "a???.\n");
    canvas_destroy(&canvas);
}

static void test_wide_characters_are_whole(void **state)
{
    (void)state;
    canvas_t *canvas = canvas_new(1, 6, true);
    assert_int_equal(canvas_text(canvas, 0, 0, 5, LOOK_PLAIN, "\u4e2d\u6587\u5b57"), 4);
    assert_shows(canvas, "\u4e2d\u6587\n");
    assert_int_equal(canvas_cell(canvas, 0, 1)->character, 0);
    /* Over the second half of the one and the first half of the other. */
    canvas_text(canvas, 0, 1, 2, LOOK_PLAIN, "xy");
    assert_shows(canvas, " xy\n");
    canvas_text(canvas, 0, 5, 1, LOOK_PLAIN, "\u4e2d");
    assert_shows(canvas, " xy\n");
    canvas_text(canvas, 0, -1, 4, LOOK_PLAIN, "\u4e2dz");
    assert_shows(canvas, " z\n");
    canvas_destroy(&canvas);
}

static void test_combining_marks(void **state)
{
    (void)state;
    canvas_t *canvas = canvas_new(1, 8, true);
    /* One for a cell, and none before the first. */
    assert_int_equal(canvas_text(canvas, 0, 0, 8, LOOK_PLAIN, "\u0301e\u0301\u0302\u4e2d\u0303x"),
                     4);
    assert_shows(canvas, "e\u0301\u4e2d\u0303x\n");
    canvas_text(canvas, 0, 0, 1, LOOK_PLAIN, "o");
    assert_shows(canvas, "o\u4e2d\u0303x\n");
    canvas_destroy(&canvas);
}

static void test_right_and_width(void **state)
{
    (void)state;
    canvas_t *canvas = canvas_new(2, 10, true);
    canvas_text_right(canvas, 0, 1, 5, LOOK_PLAIN, "12");
    canvas_text_right(canvas, 1, 1, 5, LOOK_PLAIN, "1234567");
    assert_shows(canvas, "    12\n 12345\n");
    assert_int_equal(canvas_width(canvas, "a\u4e2d\u0301b"), 4);
    assert_int_equal(canvas_format(canvas, 0, 0, 10, LOOK_PLAIN, "%d/%s", 7, "x"), 3);
    assert_shows(canvas, "7/x\n 12345\n");
    canvas_destroy(&canvas);
}

static void assert_name(bool utf8, int width, const char *name, const char *expected)
{
    canvas_t *canvas = canvas_new(1, 40, utf8);
    canvas_name(canvas, 0, 0, width, LOOK_PLAIN, name);
    char *line = memory_format("%s\n", expected);
    assert_shows(canvas, line);
    free(line);
    canvas_destroy(&canvas);
}

static void test_names_are_shortened_in_the_middle(void **state)
{
    (void)state;
    assert_name(true, 10, "sys/test/1", "sys/test/1");
    assert_name(true, 10, "sys/tg_test/1/double.change", "sys/tg\u2026nge");
    assert_name(false, 12, "sys/tg_test/1/double.change", "sys/tg...nge");
    assert_name(true, 2, "sys/tg_test", "sy");
    assert_name(true, 1, "sys/tg_test", "s");
    assert_name(true, 0, "sys/tg_test", "");
    /* Wide ones at both cuts. */
    assert_name(true, 8, "ab\u4e2d\u4e2d\u4e2d\u4e2d\u4e2d\u4e2d", "ab\u4e2d\u2026\u4e2d");
    assert_name(true, 10, "a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "a?????\u2026???");
}

static void test_a_long_name_costs_nothing(void **state)
{
    (void)state;
    enum { LONG = 4 << 20 };
    char *name = memory_new(LONG + 1, 1);
    memset(name, 'n', LONG);
    name[LONG - 1] = 'z';
    canvas_t *canvas = canvas_new(1, 6, true);
    for (int i = 0; i < 1000; i++)
        canvas_name(canvas, 0, 0, 6, LOOK_PLAIN, name);
    assert_shows(canvas, "nnnn\u2026z\n");
    assert_int_equal(canvas_width(canvas, name), 7);
    canvas_destroy(&canvas);
    free(name);
}

static void test_wrapped(void **state)
{
    (void)state;
    canvas_t *canvas = canvas_new(4, 10, true);
    assert_int_equal(
        canvas_wrapped(canvas, 0, 1, 7, 3, 0, LOOK_PLAIN, "one two three fourfourfour\n\nend"), 6);
    assert_shows(canvas, " one two\n three\n fourfou\n\n");
    canvas_clear(canvas, 4, 10);
    assert_int_equal(
        canvas_wrapped(canvas, 0, 1, 7, 4, 3, LOOK_PLAIN, "one two three fourfourfour\n\nend"), 6);
    assert_shows(canvas, " rfour\n\n end\n\n");
    assert_int_equal(canvas_wrapped(canvas, 0, 0, 1, 0, 0, LOOK_PLAIN, "\u4e2d\u4e2d"), 2);
    assert_int_equal(canvas_wrapped(canvas, 0, 0, 0, 4, 0, LOOK_PLAIN, "text"), 0);
    assert_int_equal(canvas_wrapped(canvas, 0, 0, 9, 4, 0, LOOK_PLAIN, ""), 0);
    canvas_destroy(&canvas);
}

static void test_sparkline(void **state)
{
    (void)state;
    const double values[] = {0, 1, NAN, 4, 8, INFINITY};
    canvas_t *canvas = canvas_new(1, 8, true);
    canvas_sparkline(canvas, 0, 0, 8, values, 5, 0, LOOK_BAR);
    assert_shows(canvas, "   \u2581\u2582 \u2585\u2588\n");
    canvas_sparkline(canvas, 0, 0, 3, values, 6, 16, LOOK_BAR);
    assert_shows(canvas, "\u2583\u2585\u2588\u2581\u2582 \u2585\u2588\n");
    canvas_destroy(&canvas);
    canvas = canvas_new(1, 8, false);
    canvas_sparkline(canvas, 0, 0, 8, values, 5, 0, LOOK_BAR);
    assert_shows(canvas, "   _. =#\n");
    canvas_sparkline(canvas, 0, 0, 8, values, 1, 0, LOOK_BAR);
    assert_shows(canvas, "       _\n");
    canvas_sparkline(canvas, 0, 0, 8, values, 0, 0, LOOK_BAR);
    assert_shows(canvas, "\n");
    canvas_destroy(&canvas);
}

static void assert_bar(bool utf8, double part, const char *expected)
{
    canvas_t *canvas = canvas_new(1, 4, utf8);
    canvas_bar(canvas, 0, 0, 4, part, LOOK_BAR);
    char *line = memory_format("%s\n", expected);
    assert_shows(canvas, line);
    free(line);
    canvas_destroy(&canvas);
}

static void test_bar(void **state)
{
    (void)state;
    assert_bar(true, 0, "");
    assert_bar(true, NAN, "");
    assert_bar(true, 1e-9, "\u258f");
    assert_bar(true, 0.5, "\u2588\u2588");
    assert_bar(true, 0.625, "\u2588\u2588\u258c");
    assert_bar(true, 7, "\u2588\u2588\u2588\u2588");
    assert_bar(false, 1e-9, "-");
    assert_bar(false, 0.625, "##=");
    assert_bar(false, 1, "####");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_cut_at_its_width),
        cmocka_unit_test(test_nothing_is_drawn_outside),
        cmocka_unit_test(test_only_printable_characters),
        cmocka_unit_test(test_wide_characters_are_whole),
        cmocka_unit_test(test_combining_marks),
        cmocka_unit_test(test_right_and_width),
        cmocka_unit_test(test_names_are_shortened_in_the_middle),
        cmocka_unit_test(test_a_long_name_costs_nothing),
        cmocka_unit_test(test_wrapped),
        cmocka_unit_test(test_sparkline),
        cmocka_unit_test(test_bar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
