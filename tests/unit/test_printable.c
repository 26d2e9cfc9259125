#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/printable.h"

static void assert_copy(const char *text, bool utf8, const char *expected)
{
    char *copy = printable_copy(text, utf8);
    assert_string_equal(copy, expected);
    free(copy);
}

static void test_plain_text_is_kept(void **state)
{
    (void)state;
    assert_copy("", true, "");
    assert_copy("tango://host:10000/a/b/c.change ~", false, "tango://host:10000/a/b/c.change ~");
}

static void test_control_characters(void **state)
{
    (void)state;
    assert_copy("a\x1b[31mb\r\n\t\x7f", true, "a?[31mb????");
    /* CSI as one character of the C1 set, which gets past a check for ESC alone. */
    assert_copy("a\xc2\x9b"
                "31m",
                true, "a?31m");
    assert_copy("a\u2028b", true, "a?b");
}

static void test_misleading_characters(void **state)
{
    (void)state;
    assert_copy("a\u202eb", true, "a?b");
    assert_copy("a\u2066b\u200b\ufeff", true, "a?b??");
    assert_copy("\U000e0041", true, "?");
}

static void test_utf8(void **state)
{
    (void)state;
    assert_copy("caf\u00e9 \u65e5 \U0001f52d", true, "caf\u00e9 \u65e5 \U0001f52d");
    assert_copy("caf\u00e9 \u65e5 \U0001f52d", false, "caf? ? ?");
}

static void test_broken_utf8(void **state)
{
    (void)state;
    assert_copy("\xff\xfe", true, "??");
    assert_copy("a\xc3", true, "a?");
    assert_copy("a\xe2\x82", true, "a??");
    assert_copy("\xc0\xaf", true, "??");           /* overlong */
    assert_copy("\xed\xa0\x80", true, "???");      /* a surrogate */
    assert_copy("\xf4\x90\x80\x80", true, "????"); /* beyond Unicode */
}

static void test_width(void **state)
{
    (void)state;
    assert_int_equal(printable_width(""), 0);
    assert_int_equal(printable_width("abc"), 3);
    assert_int_equal(printable_width("caf\u00e9"), 4);
    assert_int_equal(printable_width("cafe\u0301"), 4);
    assert_int_equal(printable_width("\u65e5\u672c"), 4);
    assert_int_equal(printable_width("\xff"), 1);
}

/*
 * Never wider than asked for, and not needlessly narrower, with wide characters and marks anywhere.
 */
static void test_shortening(void **state)
{
    (void)state;
    static const char *const parts[] = {"a", "\u65e5", "e\u0301"};
    for (unsigned pattern = 0; pattern < 729; pattern++) { /* 3 to the power of 6 */
        char text[64];
        snprintf(text, sizeof text, "%s%s%s%s%s%s", parts[pattern % 3], parts[pattern / 3 % 3],
                 parts[pattern / 9 % 3], parts[pattern / 27 % 3], parts[pattern / 81 % 3],
                 parts[pattern / 243 % 3]);
        const size_t all = printable_width(text);
        for (size_t width = 1; width <= all; width++) {
            for (int utf8 = 0; utf8 < 2; utf8++) {
                char *shorter = printable_shorten(text, width, utf8);
                const size_t is = printable_width(shorter);
                if (is > width || is + 2 < width)
                    fail_msg("%s in %zu cells: %s takes %zu", text, width, shorter, is);
                free(shorter);
            }
        }
    }
}

static void test_plus_minus(void **state)
{
    (void)state;
    assert_non_null(setlocale(LC_CTYPE, "C"));
    assert_false(printable_locale_is_utf8());
    assert_string_equal(printable_plus_minus(), "+/-");
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    assert_true(printable_locale_is_utf8());
    assert_string_equal(printable_plus_minus(), "\u00b1");
    setlocale(LC_CTYPE, "C");
}

static void test_encode(void **state)
{
    (void)state;
    static const char *const characters[] = {"a", "\u00e4", "\u2026", "\U0001f600"};
    for (size_t i = 0; i < sizeof characters / sizeof *characters; i++) {
        uint32_t character = 0;
        char text[5] = "";
        assert_int_equal(printable_decode(characters[i], &character), i + 1);
        assert_int_equal(printable_encode(character, text), i + 1);
        assert_string_equal(text, characters[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_text_is_kept),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_misleading_characters),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_broken_utf8),
        cmocka_unit_test(test_width),
        cmocka_unit_test(test_shortening),
        cmocka_unit_test(test_plus_minus),
        cmocka_unit_test(test_encode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
