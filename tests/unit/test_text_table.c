#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "monitor/view/text/text_table.h"

/* Prints the table, in lines of at most width, and compares; frees the table. */
static void assert_narrow(text_table_t *table, const char *indent, size_t width,
                          const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    text_table_print(table, out, indent, &(text_style_t){.width = width});
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
    text_table_destroy(&table);
    assert_null(table);
}

static void assert_printed(text_table_t *table, const char *indent, const char *expected)
{
    assert_narrow(table, indent, 0, expected);
}

static void test_empty(void **state)
{
    (void)state;
    assert_printed(text_table_new(), "", "");
    text_table_t *table = text_table_new();
    text_table_column(table, "name", TEXT_TABLE_LEFT);
    assert_printed(table, "  ", "");
    text_table_t *none = NULL;
    text_table_destroy(&none);
}

static void test_alignment(void **state)
{
    (void)state;
    text_table_t *table = text_table_new();
    text_table_column(table, "name", TEXT_TABLE_LEFT);
    text_table_column(table, "process [us]", TEXT_TABLE_RIGHT);
    text_table_column(table, "where", TEXT_TABLE_LEFT);
    text_table_cell(table, "a");
    text_table_cellf(table, "%d", 12345);
    text_table_cell(table, "here");
    text_table_cell(table, "longer");
    text_table_cell(table, NULL);
    text_table_cell(table, "");
    assert_printed(table, "> ",
                   "> name    process [us]  where\n"
                   "> a              12345  here\n"
                   "> longer             -\n");
}

static void test_optional_columns(void **state)
{
    (void)state;
    text_table_t *table = text_table_new();
    text_table_column(table, "", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "name", TEXT_TABLE_LEFT);
    text_table_column(table, "lost", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "seen", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    const char *const cells[] = {"", "a", "-", "-", "", "b", "", "0"};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        text_table_cell(table, cells[i]);
    assert_printed(table, "",
                   "name  lost  seen\n"
                   "a        -     -\n"
                   "b              0\n");
}

static void test_joined_columns(void **state)
{
    (void)state;
    text_table_t *table = text_table_new();
    text_table_column(table, "events", TEXT_TABLE_RIGHT);
    text_table_column(table, "", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL | TEXT_TABLE_JOINED);
    text_table_column(table, "more", TEXT_TABLE_RIGHT);
    const char *const cells[] = {"1234567", "(+1)", "1", "8", "", "2", "9", "(+123)", "3"};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        text_table_cell(table, cells[i]);
    assert_printed(table, "",
                   " events         more\n"
                   "1234567   (+1)     1\n"
                   "      8            2\n"
                   "      9 (+123)     3\n");
}

static void test_incomplete_row(void **state)
{
    (void)state;
    text_table_t *table = text_table_new();
    text_table_column(table, "a", TEXT_TABLE_LEFT);
    text_table_column(table, "b", TEXT_TABLE_RIGHT);
    text_table_cell(table, "1");
    text_table_cell(table, "2");
    text_table_cell(table, "3");
    assert_printed(table, "", "a  b\n1  2\n3\n");
}

static void test_utf8_width(void **state)
{
    (void)state;
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    text_table_t *table = text_table_new();
    text_table_column(table, "name", TEXT_TABLE_LEFT);
    text_table_column(table, "n", TEXT_TABLE_RIGHT);
    const char *const cells[] = {"caf\u00e9", "1", "\u65e5\u672c\u8a9e", "2", "cafe\u0301", "3"};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        text_table_cell(table, cells[i]);
    assert_printed(table, "",
                   "name    n\n"
                   "caf\u00e9    1\n"
                   "\u65e5\u672c\u8a9e  2\n"
                   "cafe\u0301    3\n");
    setlocale(LC_CTYPE, "C");
}

static void test_text_is_made_printable(void **state)
{
    (void)state;
    text_table_t *table = text_table_new();
    text_table_column(table, "na\nme", TEXT_TABLE_LEFT);
    text_table_cell(table, "a\x1b[2Jb\r\n");
    text_table_cell(table, "caf\u00e9"); /* not in the C locale */
    assert_printed(table, "", "na?me\na?[2Jb??\ncaf?\n");
}

/* Columns that can be left out are, before a name can't be told from others. */
static void test_names_are_kept(void **state)
{
    (void)state;
    static const size_t widths[] = {70, 45, 38};
    static const char *const expected[] = {
        "name                                       n  more\n"
        "a/name/that/is/longer/than/forty/cells/x  12  34\n",
        "name                                       n\n"
        "a/name/that/is/longer/than/forty/cells/x  12\n",
        "name                                 n\n"
        "a/name/that/is/longer...ty/cells/x  12\n",
    };
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        text_table_t *table = text_table_new();
        text_table_column(table, "name", TEXT_TABLE_NAME);
        text_table_column(table, "n", TEXT_TABLE_RIGHT);
        text_table_column(table, "more", TEXT_TABLE_OPTIONAL);
        text_table_cell(table, "a/name/that/is/longer/than/forty/cells/x");
        text_table_cell(table, "12");
        text_table_cell(table, "34");
        assert_narrow(table, "", widths[i], expected[i]);
    }
}

static void test_many_cells(void **state)
{
    (void)state;
    text_table_t *table = text_table_new();
    text_table_column(table, "n", TEXT_TABLE_RIGHT);
    size_t size = 5 * 1000 + 6 + 1;
    char *expected = malloc(size);
    assert_non_null(expected);
    char *at = expected + sprintf(expected, "%4s\n", "n");
    for (int i = 0; i < 1000; i++) {
        text_table_cellf(table, "%d", 1000 + i);
        at += sprintf(at, "%d\n", 1000 + i);
    }
    assert_printed(table, "", expected);
    free(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_alignment),
        cmocka_unit_test(test_optional_columns),
        cmocka_unit_test(test_joined_columns),
        cmocka_unit_test(test_incomplete_row),
        cmocka_unit_test(test_utf8_width),
        cmocka_unit_test(test_text_is_made_printable),
        cmocka_unit_test(test_names_are_kept),
        cmocka_unit_test(test_many_cells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
