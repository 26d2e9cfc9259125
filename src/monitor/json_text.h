/*
 * json_text: JSON that goes from one place to another as text.
 */
#ifndef STEM_JSON_TEXT_H
#define STEM_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * How deeply arrays and objects may lie in each other: fewer than any reader of JSON lines takes
 * (jq 1.6: 256), so that there is room for what the text is embedded in.
 */
#define JSON_TEXT_MAX_DEPTH 200

/*
 * Whether the text is one JSON value that every strict reader takes: UTF-8 throughout, no lone
 * surrogates, not too deep. If not, *error is one line that says what is wrong; the caller frees
 * it.
 */
bool json_text_is_valid(const char *text, size_t size, char **error);

/* Writes a valid JSON text without the white space between its tokens: on one line. */
void json_text_write_compact(FILE *out, const char *text, size_t size);

/*
 * Writes any bytes as a JSON string, quotes included; U+FFFD stands for each run of bytes that is
 * not UTF-8.
 */
void json_text_write_string(FILE *out, const char *text, size_t size);

#endif
