/*
 * The quick way through JSON, beside the parser: what it takes for valid is valid, both call back
 * for the same values, and members are found in the same places. Lines of recordings, and answers,
 * are read in this way.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/memory.h"
#include "fuzz.h"

/* A digest of all calls, and what json_text_is_valid() forbids. */
typedef struct {
    uint64_t hash;
    size_t depth;
    size_t deepest;
    bool too_large;
} calls_t;

static int took(calls_t *self, char what, const void *text, size_t size)
{
    const uint64_t prime = UINT64_C(0x100000001b3);
    self->hash = (self->hash ^ (unsigned char)what) * prime;
    for (size_t i = 0; i < size; i++)
        self->hash = (self->hash ^ ((const unsigned char *)text)[i]) * prime;
    self->hash = (self->hash ^ size) * prime;
    return 1;
}

static int take_null(void *context)
{
    return took(context, '0', "", 0);
}

static int take_boolean(void *context, int value)
{
    return took(context, value ? 't' : 'f', "", 0);
}

static int take_number(void *context, const char *text, size_t size)
{
    ((calls_t *)context)->too_large |= !isfinite(json_text_number(text, size));
    return took(context, 'n', text, size);
}

static int take_string(void *context, const unsigned char *text, size_t size)
{
    return took(context, 's', text, size);
}

static int take_key(void *context, const unsigned char *text, size_t size)
{
    return took(context, 'k', text, size);
}

static int begin(calls_t *self, char what)
{
    self->depth++;
    self->deepest = self->depth > self->deepest ? self->depth : self->deepest;
    return took(self, what, "", 0);
}

static int take_map(void *context)
{
    return begin(context, '{');
}

static int take_array(void *context)
{
    return begin(context, '[');
}

static int take_end(void *context)
{
    ((calls_t *)context)->depth--;
    return took(context, 'e', "", 0);
}

static const yajl_callbacks all = {
    .yajl_null = take_null,
    .yajl_boolean = take_boolean,
    .yajl_number = take_number,
    .yajl_string = take_string,
    .yajl_start_map = take_map,
    .yajl_map_key = take_key,
    .yajl_end_map = take_end,
    .yajl_start_array = take_array,
    .yajl_end_array = take_end,
};

/* With and without what is known of the ends of its values. */
static void check_members(const json_spans_t *spans, json_slice_t object)
{
    size_t at = 0;
    size_t same = 0;
    json_member_t member;
    json_member_t found;
    while (json_text_member(object, &at, &member)) {
        REQUIRE(json_text_member_in(spans, object, &same, &found));
        REQUIRE(at == same && member.value.text == found.value.text);
        REQUIRE(member.value.size == found.value.size && found.value.size > 0);
        size_t size = 0;
        char *key = json_text_string(member.key, &size);
        REQUIRE(size + 2 <= member.key.size);
        free(key);
        check_members(spans, member.value);
    }
    REQUIRE(!json_text_member_in(spans, object, &same, &found));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = memory_resize(NULL, size, 1);
    memcpy(text, data, size);
    json_spans_t spans = {0};
    const char *stopped = "stopped";
    calls_t parsed = {0};
    calls_t walked = {0};
    char *wrong = json_text_parse(&all, &parsed, &stopped, text, size);
    const bool good = json_scan_check(text, size, JSON_SCAN_LEVELS, &spans);
    if (good) {
        REQUIRE(!wrong && !parsed.too_large);
        REQUIRE(!json_text_walk(&all, &walked, &stopped, text, size));
        REQUIRE(walked.hash == parsed.hash);
        REQUIRE(json_scan_check(text, size, parsed.deepest, &spans));
        REQUIRE(parsed.deepest == 0 || !json_scan_check(text, size, parsed.deepest - 1, NULL));
        if (parsed.deepest > 0)
            check_members(&spans, (json_slice_t){text, size});
    } else {
        /* Of any text, it reads what is there, and no more. */
        size_t offset = 0;
        (void)json_scan_walk(&all, &walked, text, size, &offset);
        if (size > 0) {
            REQUIRE(json_scan_skip_value(text, size, 0) <= size);
            REQUIRE(json_scan_skip_string(text, size, 0) <= size);
        }
    }
    json_spans_clear(&spans);
    free(wrong);
    free(text);
    return 0;
}
