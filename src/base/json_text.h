/*
 * json_text: checks, parses, takes apart and writes JSON as text.
 */
#ifndef STEM_JSON_TEXT_H
#define STEM_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <yajl/yajl_parse.h>

#include "base/json_scan.h"

/*
 * How deeply arrays and objects may be nested: less than any reader of JSON Lines allows (jq 1.6:
 * 256), which leaves some levels for what the text is embedded in.
 */
#define JSON_TEXT_MAX_DEPTH 200
#define JSON_TEXT_TOO_DEEP  "more than 200 levels deep"
#define JSON_TEXT_TOO_LARGE "the number is too large"

/*
 * Maximum size in bytes of a string or number, as written in the text. Its value may go into
 * messages, and printf() can't print more than INT_MAX bytes.
 */
#define JSON_TEXT_MAX_TOKEN  ((size_t)256 << 20)
#define JSON_TEXT_LONG_TOKEN "a string or number of more than 256 MiB"

/*
 * Whether the text is one JSON value that every strict reader accepts: UTF-8 throughout, no lone
 * surrogates, not nested deeper than JSON_TEXT_MAX_DEPTH plus more_levels. If not, *error is one
 * line that says what is wrong; the caller frees it.
 */
bool json_text_is_valid(const char *text, size_t size, size_t more_levels, char **error);

/* The same, and what json_scan_check() knows of the text then, which may be nothing; spans may be
 * NULL. */
bool json_text_index(const char *text, size_t size, size_t more_levels, json_spans_t *spans,
                     char **error);

/*
 * Parses a text: yajl's callbacks are called with context, as yajl_parse.h says. Returns NULL, or
 * one line that says why the text is not JSON, which the caller frees. A callback that returns 0
 * ends the parse; *stopped is its reason then. As strict as json_text_is_valid(), except that depth
 * and the values of numbers are up to the callbacks.
 */
char *json_text_parse(const yajl_callbacks *callbacks, void *context, const char **stopped,
                      const char *text, size_t size);

/* The same of a valid text of at most JSON_SCAN_LEVELS, which isn't checked again. */
char *json_text_walk(const yajl_callbacks *callbacks, void *context, const char **stopped,
                     const char *text, size_t size);

/* The value of a JSON number; infinite if it is too large. */
double json_text_number(const char *number, size_t size);

/* Writes a valid JSON text without the white space between its tokens: on one line. */
void json_text_write_compact(FILE *out, const char *text, size_t size);

/* A part of a text. */
typedef struct {
    const char *text;
    size_t size;
} json_slice_t;

/* One member of an object, as it stands in the text. */
typedef struct {
    json_slice_t key; /* with its quotes and escapes */
    json_slice_t value;
} json_member_t;

/*
 * Iterates over the members of a valid JSON object: *at is 0 before the first call. False when
 * there are no more.
 */
bool json_text_member(json_slice_t object, size_t *at, json_member_t *member);

/* The same where some ends are known; spans may be NULL. */
bool json_text_member_in(const json_spans_t *spans, json_slice_t object, size_t *at,
                         json_member_t *member);

/*
 * One key of an object: *at is the index of the object's brace, or after the value of the key
 * before, and becomes that of this key's value. False when there are no more.
 */
bool json_text_key(json_slice_t text, size_t *at, json_slice_t *key);

/* The index after the closing brace of an object of which json_text_key() has found the last key.
 * at: after its value, or after the opening brace if there was none. */
size_t json_text_end(json_slice_t text, size_t at);

/*
 * Decodes a string of a valid JSON text, which begins with a quote; the caller frees the result.
 * *size (may be NULL) is its full size: it may contain a NUL.
 */
char *json_text_string(json_slice_t string, size_t *size);

/*
 * Writes any bytes as a JSON string, quotes included; U+FFFD stands for each run of bytes that is
 * not UTF-8.
 */
void json_text_write_string(FILE *out, const char *text, size_t size);

#endif
