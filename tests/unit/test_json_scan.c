/*
 * The quick way through JSON, compared with the parser: what the one accepts, the other does too,
 * and both call back for the same values.
 */
#include "base/json_scan.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/memory.h"
#include "cmocka_all.h"

/* Everything that a parser called back for, as text. */
typedef struct {
    FILE *out;
    size_t left;  /* calls until one says to stop */
    size_t depth; /* now, and at most */
    size_t deepest;
    bool too_large;
} calls_t;

static int took(calls_t *self, const char *what, const void *text, size_t size)
{
    fprintf(self->out, "%s %zu ", what, size);
    fwrite(text, 1, size, self->out);
    fputc('\n', self->out);
    return self->left-- > 1;
}

static int take_null(void *context)
{
    return took(context, "null", "", 0);
}

static int take_boolean(void *context, int value)
{
    return took(context, value ? "true" : "false", "", 0);
}

static int take_number(void *context, const char *text, size_t size)
{
    calls_t *self = context;
    self->too_large |= !isfinite(json_text_number(text, size));
    return took(self, "number", text, size);
}

static int take_string(void *context, const unsigned char *text, size_t size)
{
    return took(context, "string", text, size);
}

static int take_key(void *context, const unsigned char *text, size_t size)
{
    return took(context, "key", text, size);
}

static int take_begin(void *context)
{
    calls_t *self = context;
    self->depth++;
    self->deepest = self->depth > self->deepest ? self->depth : self->deepest;
    return took(self, "begin", "", 0);
}

static int take_end(void *context)
{
    ((calls_t *)context)->depth--;
    return took(context, "end", "", 0);
}

static const yajl_callbacks all = {
    .yajl_null = take_null,
    .yajl_boolean = take_boolean,
    .yajl_number = take_number,
    .yajl_string = take_string,
    .yajl_start_map = take_begin,
    .yajl_map_key = take_key,
    .yajl_end_map = take_end,
    .yajl_start_array = take_begin,
    .yajl_end_array = take_end,
};

static const size_t never = SIZE_MAX;

/* Exactly so many bytes, so that a sanitizer sees what is read beyond them. */
static char *exact(const char *text, size_t size)
{
    char *copy = memory_resize(NULL, size, 1);
    memcpy(copy, text, size);
    return copy;
}

/* Compares both; returns whether the quick one accepts it. */
static bool compare(const char *text, size_t text_size, size_t left)
{
    char *copy = exact(text, text_size);
    char *calls[2];
    size_t sizes[2];
    const char *stopped = "stopped";
    calls_t parser = {.left = left, .out = memory_stream_open(&calls[0], &sizes[0])};
    calls_t walker = {.left = left, .out = memory_stream_open(&calls[1], &sizes[1])};
    char *wrong = json_text_parse(&all, &parser, &stopped, copy, text_size);
    memory_stream_close(parser.out);
    const bool good = json_scan_check(copy, text_size, JSON_SCAN_LEVELS, NULL);
    char *walk_wrong = NULL;
    if (good) {
        assert_false(parser.too_large);
        walk_wrong = json_text_walk(&all, &walker, &stopped, copy, text_size);
    }
    memory_stream_close(walker.out);
    if (good) {
        assert_int_equal(sizes[0], sizes[1]);
        assert_memory_equal(calls[0], calls[1], sizes[0]);
        if (left == never)
            assert_null(wrong);
        if (wrong)
            assert_string_equal(walk_wrong, wrong);
        else
            assert_null(walk_wrong);
        if (left == never) {
            assert_true(json_scan_check(copy, text_size, parser.deepest, NULL));
            if (parser.deepest > 0)
                assert_false(json_scan_check(copy, text_size, parser.deepest - 1, NULL));
        }
    }
    free(walk_wrong);
    free(wrong);
    free(calls[0]);
    free(calls[1]);
    free(copy);
    return good;
}

static void test_valid(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0",
        " -1 ",
        "1.5e-7",
        "12E+09",
        "\"\"",
        "true",
        "[null,false,true]",
        "{}",
        "[]",
        " { \"a\" : [ 1 , { } , [ ] ] , \"\" : \"b\" }\r\n\t",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u00e9\\u20AC\\ud83d\\uDE00\"",
        "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\x7f\"",
        "{\"\\u0061\\n\":{\"long enough for words\":\"and as long as that, with a \\\" in it\"}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_true(compare(texts[i], strlen(texts[i]), never));
}

static void test_not_valid(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "1e+",
        "+1",
        "tru",
        "nulL",
        "\"",
        "\"\\\"",
        "\"\n\"",
        "\"\x1f\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xff\"",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "{\"a\" 1}",
        "{\"a\":1]",
        "[1}",
        "1 1",
        "1\"",
        "{}}",
        "[]]",
        "\f1",
        "1\v",
        "\xef\xbb\xbf{}",
        "1e999",
        "/**/1",
        "[1]\\",
        "\"a\"b",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(compare(texts[i], strlen(texts[i]), never));
    assert_false(compare("1\0", 2, never));
    assert_false(compare("\"\0\"", 3, never));
}

/* A random value; sometimes a very odd one. */
static void write_value(FILE *out, unsigned *seed, int levels)
{
    static const char *const tokens[] = {
        "0",
        "-12",
        "3.25e1",
        "null",
        "true",
        "false",
        "\"\"",
        "\"a name\"",
        "\"\\u00e9\\n\"",
        "\"\xc3\xa9\xe2\x82\xac\"",
        "9007199254740993",
        "1e99",
        "\"\\ud83d\\ude00\"",
        "\"tango://host:10000/a/b/c/d.change\"",
        "-0.0",
        "1E400",
    };
    const int kind = levels > 0 ? rand_r(seed) % 4 : 3;
    if (kind == 3) {
        fputs(tokens[(size_t)rand_r(seed) % (sizeof tokens / sizeof *tokens)], out);
        return;
    }
    const int count = rand_r(seed) % 4;
    fputc(kind ? '{' : '[', out);
    for (int i = 0; i < count; i++) {
        fputs(i ? "," : "", out);
        fputs(rand_r(seed) % 8 ? "" : " \n", out);
        if (kind)
            fprintf(out, "\"key %d\\t\":", rand_r(seed) % 5);
        write_value(out, seed, levels - 1);
    }
    fputc(kind ? '}' : ']', out);
}

/* Whole ones, then with bytes that are removed, changed or repeated; and with calls that end it. */
static void test_random(void **state)
{
    (void)state;
    enum { TEXTS = 400, CHANGES = 40 };
    static const char bytes[] = "\"\\{}[]:,01-+.eEu \ntfn\x80\xc3\xed\f\x01";
    unsigned seed = 1;
    size_t accepted = 0;
    for (int i = 0; i < TEXTS; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = memory_stream_open(&text, &size);
        write_value(out, &seed, 5);
        memory_stream_close(out);
        accepted += compare(text, size, never);
        for (size_t left = 1; left < 5; left++)
            compare(text, size, left);
        for (int change = 0; change < CHANGES; change++) {
            char *changed = memory_copy(text, size);
            const size_t at = (size_t)rand_r(&seed) % size;
            size_t less = 0;
            if (change % 2)
                changed[at] = bytes[(size_t)rand_r(&seed) % (sizeof bytes - 1)];
            else if (change % 4)
                less = size - at;
            else
                memmove(changed + at, changed + at + 1, size - at);
            less += change % 2 == 0 && change % 4 == 0;
            accepted += compare(changed, size - less, never);
            free(changed);
        }
        free(text);
    }
    /* Some of the changes leave it valid. */
    assert_in_range(accepted, TEXTS, (uintmax_t)TEXTS * CHANGES / 2);
}

static void test_depth(void **state)
{
    (void)state;
    char text[2 * JSON_SCAN_LEVELS + 2];
    memset(text, '[', sizeof text / 2);
    memset(text + sizeof text / 2, ']', sizeof text / 2);
    assert_true(compare(text + 1, sizeof text - 2, never));
    assert_false(compare(text, sizeof text, never));
}

/* The members of all objects, found with and without what is known of their ends. */
static size_t compare_members(const json_spans_t *spans, json_slice_t object)
{
    size_t places[] = {0, 0};
    json_member_t members[2];
    size_t count = 0;
    while (json_text_member(object, &places[0], &members[0])) {
        assert_true(json_text_member_in(spans, object, &places[1], &members[1]));
        assert_ptr_equal(members[0].value.text, members[1].value.text);
        assert_int_equal(members[0].value.size, members[1].value.size);
        count += 1 + compare_members(spans, members[0].value);
    }
    assert_false(json_text_member_in(spans, object, &places[1], &members[1]));
    return count;
}

static void test_spans(void **state)
{
    (void)state;
    unsigned seed = 2;
    json_spans_t spans = {0};
    size_t members = 0;
    size_t known = 0;
    for (int i = 0; i < 300; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = memory_stream_open(&text, &size);
        fputs("{\"replies\":{", out);
        for (int reply = 0; reply < 4; reply++) {
            fprintf(out, "%s\"server %d\":{\"data\":", reply ? "," : "", reply);
            write_value(out, &seed, 9);
            fputc('}', out);
        }
        fputs("}}", out);
        memory_stream_close(out);
        if (json_scan_check(text, size, JSON_SCAN_LEVELS, &spans)) {
            members += compare_members(&spans, (json_slice_t){text, size});
            known += spans.count;
            for (size_t span = 0; span < spans.count; span++)
                assert_true(spans.spans[span].end - spans.spans[span].begin >= 256);
        }
        free(text);
    }
    assert_true(members > 1000);
    assert_true(known > 100);
    assert_false(json_scan_check("[}", 2, JSON_SCAN_LEVELS, &spans));
    assert_null(json_spans_end(&spans, "["));
    json_spans_clear(&spans);
}

/* A string with very many escapes takes no longer than any other. */
static void test_many_escapes(void **state)
{
    (void)state;
    enum { ESCAPES = 4000000 };
    char *text = memory_resize(NULL, 2 * ESCAPES + 2, 1);
    for (size_t i = 0; i < ESCAPES; i++)
        memcpy(text + 1 + 2 * i, "\\\"", 2);
    text[0] = text[2 * ESCAPES + 1] = '"';
    assert_true(json_scan_check(text, 2 * ESCAPES + 2, 1, NULL));
    size_t size = 0;
    char *decoded = json_text_string((json_slice_t){text, 2 * ESCAPES + 2}, &size);
    assert_int_equal(size, ESCAPES);
    assert_int_equal(decoded[ESCAPES - 1], '"');
    free(decoded);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),  cmocka_unit_test(test_not_valid),
        cmocka_unit_test(test_random), cmocka_unit_test(test_depth),
        cmocka_unit_test(test_spans),  cmocka_unit_test(test_many_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
