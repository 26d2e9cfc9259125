/*
 * json_scan: a quick way through JSON that is as it should be.
 *
 * Nearly all texts are. json_scan_check() says so of most of them, and of no other text; where it
 * isn't sure, a parser decides (json_text.h), and says what is wrong. Then json_scan_walk() yields
 * the same as that parser, without checking anything once more.
 */
#ifndef STEM_JSON_SCAN_H
#define STEM_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <yajl/yajl_parse.h>

/* No text that is checked or walked through is nested deeper. */
enum { JSON_SCAN_LEVELS = 256 };

/* Where an object or list begins, and where it ends (the index after its brace or bracket). */
typedef struct {
    size_t begin;
    size_t end;
} json_span_t;

/*
 * The larger objects and lists of the upper levels of a text, in the order of their beginnings, so
 * that nobody has to look for their ends again. All 0 before its first use, which may be of any
 * number of texts, one after the other.
 */
typedef struct {
    const char *text; /* NULL: there are none */
    json_span_t *spans;
    size_t count;
    size_t capacity;
} json_spans_t;

/* Frees what it owns and empties it. */
void json_spans_clear(json_spans_t *self);

/* The end of the object or list that begins at that place of a text; NULL if it isn't known. */
const char *json_spans_end(const json_spans_t *self, const char *begin);

/*
 * Whether the text is one valid JSON value in UTF-8, without half of a surrogate pair, a number
 * that is too large, or a string of more than JSON_TEXT_MAX_TOKEN bytes, and with at most so many
 * levels (at most JSON_SCAN_LEVELS). False: it may be valid nevertheless. spans (may be NULL)
 * becomes those of the text; there are none if the result is false.
 */
bool json_scan_check(const char *text, size_t size, size_t levels, json_spans_t *spans);

/*
 * Calls back for all values of a valid text, as yajl does; the callbacks may be NULL, and for
 * numbers, there is only yajl_number. Returns false if a callback returned 0, or if the text is
 * deeper than JSON_SCAN_LEVELS or isn't valid after all; *offset is then the index after what was
 * read last.
 */
bool json_scan_walk(const yajl_callbacks *callbacks, void *context, const char *text, size_t size,
                    size_t *offset);

/*
 * Decodes what is between the quotes of a valid string into a buffer of at least that size. Returns
 * how many bytes it has now.
 */
size_t json_scan_decode(const char *text, size_t size, char *decoded);

/* The index after the string whose quote is at text[begin]; size if it has no end. */
size_t json_scan_skip_string(const char *text, size_t size, size_t begin);

/* The index after the value that begins at text[begin]; size if it has no end. */
size_t json_scan_skip_value(const char *text, size_t size, size_t begin);

/* The length of the UTF-8 sequence at the beginning of bytes (size: at least 1), 0 if there is
 * none: shortest form only, no surrogates, nothing beyond U+10FFFF (Unicode, table 3-7). */
size_t json_scan_utf8_length(const unsigned char *bytes, size_t size);

#endif
