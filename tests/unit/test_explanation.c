/* docs/findings.md, which is part of the program, against the table of rules. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "monitor/analysis/findings/explanation.h"
#include "monitor/explain.h"

extern const unsigned char embedded_findings[];
extern const size_t embedded_findings_size;

static char *page(void)
{
    return memory_copy((const char *)embedded_findings, embedded_findings_size);
}

/* The comment below the heading says what the table says. */
static void test_each_rule_has_its_section(void **state)
{
    (void)state;
    char *text = page();
    const char *at = text;
    for (size_t i = 0; i < rules_count; i++) {
        const rule_t *rule = &rules[i];
        char *threshold = rule->unit
                              ? memory_format(", threshold %g %s", rule->threshold, rule->unit)
                              : memory_string("");
        char *expected = memory_format("\n### %s\n<!-- %s, %s%s -->\n", rule->name,
                                       severity_name(rule->severity), rule->group, threshold);
        const char *found = strstr(at, expected);
        if (!found)
            fail_msg("docs/findings.md, after the rules before it, as in the table: %s", expected);
        at = found ? found : at;
        free(expected);
        free(threshold);
    }
    free(text);
}

static void test_each_section_has_its_rule(void **state)
{
    (void)state;
    char *text = page();
    size_t sections = 0;
    for (const char *at = text; (at = strstr(at, "\n### ")) != NULL;) {
        at += strlen("\n### ");
        if (at[0] < 'a' || at[0] > 'z')
            continue;
        char *name = memory_copy(at, strcspn(at, "\n"));
        if (!rules_find(name))
            fail_msg("there is no rule '%s'", name);
        free(name);
        sections++;
    }
    assert_int_equal(sections, rules_count);
    free(text);
}

static void test_each_section_says_how_it_shows_and_what_to_do(void **state)
{
    (void)state;
    for (size_t i = 0; i < rules_count; i++) {
        char *text = explanation_text(&rules[i], 80);
        char *advice = explanation_of_what_to_do(&rules[i], 0);
        if (!strstr(text, "\nHow it shows: ") || !strstr(text, "\nWhat to do: "))
            fail_msg("docs/findings.md: %s", rules[i].name);
        assert_null(strstr(text, "**"));
        assert_null(strstr(text, "<!--"));
        assert_null(strstr(text, "\n### "));
        assert_true(strlen(advice) > 20);
        free(advice);
        free(text);
    }
}

static void check_plain(const char *markdown, size_t width, const char *expected)
{
    char *text = explanation_plain(markdown, width);
    assert_string_equal(text, expected);
    free(text);
}

static void test_markdown_becomes_text(void **state)
{
    (void)state;
    check_plain("", 80, "");
    check_plain("**Bold:** `a*b` is *not* [a link](monitor.md#x).", 80,
                "Bold: a*b is not a link.\n");
    check_plain("\\*name\\* and \\`", 80, "*name* and `\n");
    check_plain("<!-- fault -->\n\n\none\ntwo\n\n\nthree\n", 80, "one two\n\nthree\n");
    check_plain("one two three", 7, "one two\nthree\n");
    check_plain("unbreakable on", 4, "unbreakable\non\n");
    check_plain("one two three", 0, "one two three\n");
    check_plain("\xc3\xa9\xc3\xa9 \xc3\xa9\xc3\xa9", 5, "\xc3\xa9\xc3\xa9 \xc3\xa9\xc3\xa9\n");
    check_plain("See:\n- one two\n- three\n\n1. four five\n", 7,
                "See:\n- one\n  two\n- three\n\n1. four\n   five\n");
    check_plain("Run:\n\n    make   demo\n\nor\n```\na  b\n```\n", 80,
                "Run:\n\n    make   demo\n\nor\na  b\n");
    check_plain("[open", 80, "open\n");
    check_plain("a](b", 80, "a(b\n");
    check_plain("end\\", 80, "end\\\n");
}

static void check_nearest(const char *word, const char *expected)
{
    static const char *const words[] = {"overflow", "stuck-callback", "stuck", "loss", "late"};
    char *nearest = nearest_words(word, words, sizeof words / sizeof *words);
    if (expected)
        assert_string_equal(nearest, expected);
    else
        assert_null(nearest);
    free(nearest);
}

static void test_what_was_meant(void **state)
{
    (void)state;
    check_nearest("overflows", "overflow");
    check_nearest("ovreflow", "overflow");
    check_nearest("callback", "stuck-callback");
    check_nearest("los", "loss");
    check_nearest("lasse", "loss or late");
    check_nearest("", NULL);
    check_nearest("xyz", NULL);
    check_nearest("a-very-long-word-that-nobody-could-have-meant-to-write", NULL);
    char *error = explain_error("overflwo");
    assert_string_equal(error, "there is no rule 'overflwo': perhaps overflow");
    free(error);
    assert_null(explain_error("overflow"));
    assert_null(explain_error("loss"));
}

static char *explained(const char *const *names, size_t count, const rule_settings_t *settings)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    explain_print(out, (char *const *)names, count, settings, &(text_style_t){.width = 80});
    memory_stream_close(out);
    return text;
}

static void test_what_is_printed(void **state)
{
    (void)state;
    rule_settings_t settings = {0};
    char *error = NULL;
    assert_true(rule_settings_set(&settings, "stuck-callback=7", &error));
    char *list = explained(NULL, 0, &settings);
    size_t lines = 0;
    for (const char *at = list; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, 1 + rules_count);
    for (size_t i = 0; i < rules_count; i++)
        assert_non_null(strstr(list, rules[i].title));
    assert_non_null(strstr(list, "  7 s  "));
    free(list);
    char *rule = explained((const char *const[]){"stuck-callback"}, 1, &settings);
    assert_ptr_equal(strstr(rule, "stuck-callback: a callback that doesn't return\n"
                                  "fault of the group stuck, threshold 7 s, only"),
                     rule);
    free(rule);
    char *group = explained((const char *const[]){"stuck", "overflow"}, 2, NULL);
    assert_ptr_equal(strstr(group, "overflow: "), group);
    assert_non_null(strstr(group, "\n\nstuck-callback: "));
    free(group);
    rule_settings_clear(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_rule_has_its_section),
        cmocka_unit_test(test_each_section_has_its_rule),
        cmocka_unit_test(test_each_section_says_how_it_shows_and_what_to_do),
        cmocka_unit_test(test_markdown_becomes_text),
        cmocka_unit_test(test_what_was_meant),
        cmocka_unit_test(test_what_is_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
