#include "base/json_text.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "base/memory.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Skips the string whose opening quote is at text[i]; returns the index after its closing quote. */
static size_t skip_string(const char *text, size_t size, size_t i)
{
    for (i++; i < size && text[i] != '"'; i++)
        if (text[i] == '\\')
            i++;
    return i < size ? i + 1 : size;
}

/*
 * The length of the UTF-8 sequence at the beginning of bytes, 0 if there is none: shortest form
 * only, no surrogates, nothing beyond U+10FFFF (Unicode, table 3-7).
 */
static size_t utf8_length(const unsigned char *bytes, size_t size)
{
    const unsigned char lead = bytes[0];
    if (lead < 0x80)
        return 1;
    const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || length > size)
        return 0;
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    if (lead == 0xe0)
        low = 0xa0;
    else if (lead == 0xed)
        high = 0x9f;
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f;
    if (bytes[1] < low || bytes[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (bytes[i] < 0x80 || bytes[i] > 0xbf)
            return 0;
    return length;
}

/* The index of the first byte that is not UTF-8; size if there is none. yajl is less strict. */
static size_t utf8_end(const char *text, size_t size)
{
    const uint64_t high_bits = UINT64_C(0x8080808080808080);
    for (size_t i = 0; i < size;) {
        uint64_t word = high_bits;
        if (size - i >= sizeof word)
            memcpy(&word, text + i, sizeof word);
        if (!(word & high_bits)) {
            i += sizeof word;
            continue;
        }
        const size_t length = utf8_length((const unsigned char *)text + i, size - i);
        if (length == 0)
            return i;
        i += length;
    }
    return size;
}

/* The code unit of the four digits of a "\u" escape; -1 if they are not hexadecimal. */
static long escaped_unit(const char *digits, size_t size)
{
    if (size < 4)
        return -1;
    const char hex[5] = {digits[0], digits[1], digits[2], digits[3], '\0'};
    char *end = NULL;
    const long unit = strtol(hex, &end, 16);
    return end == hex + 4 ? unit : -1;
}

/* A lone surrogate escape (RFC 8259, section 8.2), which some readers accept and others don't. */
static bool has_lone_surrogate(const char *text, size_t size)
{
    const char *end = text + size;
    bool high = false; /* the escape just before was the first of a pair */
    for (const char *at = memchr(text, '\\', size); at && at + 1 < end;) {
        const long unit = at[1] == 'u' ? escaped_unit(at + 2, (size_t)(end - at - 2)) : -1;
        const bool low = unit >= 0xdc00 && unit <= 0xdfff;
        if (low != high)
            return true;
        high = unit >= 0xd800 && unit <= 0xdbff;
        at += unit >= 0 ? 6 : 2;
        if (high && (at >= end || *at != '\\'))
            return true;
        at = at < end ? memchr(at, '\\', (size_t)(end - at)) : NULL;
    }
    return high;
}

static char *error_at(const char *text, size_t offset, const char *problem)
{
    size_t line = 1;
    size_t column = 0;
    for (size_t i = 0; i < offset; i++) {
        column++;
        if (text[i] == '\n') {
            line++;
            column = 0;
        }
    }
    return memory_format("line %zu, column %zu: %s", line, column, problem);
}

static size_t blank_length(const char *text, size_t size)
{
    size_t length = 0;
    while (length < size && is_space(text[length]))
        length++;
    return length;
}

static bool ends_token(char c)
{
    return c == '"' || c == ',' || c == ':' || is_space(c);
}

static bool has_long_token(const char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        const size_t start = i;
        if (text[i] == '"')
            i = skip_string(text, size, i);
        else
            for (i++; i < size && !ends_token(text[i]);)
                i++;
        if (i - start > JSON_TEXT_MAX_TOKEN)
            return true;
    }
    return false;
}

char *json_text_parse(const yajl_callbacks *callbacks, void *context, const char **stopped,
                      const char *text, size_t size)
{
    const size_t end = utf8_end(text, size);
    if (end < size)
        return error_at(text, end, "not UTF-8");
    /* yajl takes these two for white space; JSON allows them nowhere. */
    if (size > JSON_TEXT_MAX_TOKEN && has_long_token(text, size))
        return memory_string(JSON_TEXT_LONG_TOKEN);
    const char *control = memchr(text, '\f', size);
    if (!control)
        control = memchr(text, '\v', size);
    if (control)
        return error_at(text, (size_t)(control - text), "a control character");
    char *error = NULL;
    yajl_handle handle = yajl_alloc(callbacks, NULL, context);
    yajl_config(handle, yajl_dont_validate_strings, 1);
    /* Looked for below: yajl overlooks some, such as one quote. */
    yajl_config(handle, yajl_allow_trailing_garbage, 1);
    yajl_status status = yajl_parse(handle, (const unsigned char *)text, size);
    const size_t offset = yajl_get_bytes_consumed(handle);
    if (status == yajl_status_ok)
        status = yajl_complete_parse(handle);
    if (status == yajl_status_client_canceled) {
        error = error_at(text, offset, *stopped);
    } else if (status != yajl_status_ok) {
        unsigned char *problem = yajl_get_error(handle, 0, NULL, 0);
        char *line = memory_string((const char *)problem);
        line[strcspn(line, "\n")] = '\0';
        error = error_at(text, offset, line);
        free(line);
        yajl_free_error(handle, problem);
    } else if (offset + blank_length(text + offset, size - offset) < size) {
        error = error_at(text, offset, "more than one value");
    } else if (has_lone_surrogate(text, size)) {
        error = memory_string("half of a surrogate pair in a string");
    }
    yajl_free(handle);
    return error;
}

/* ---- whether a text is JSON ---- */

typedef struct {
    size_t depth;
    size_t most;
    const char *stopped;
} check_t;

static int check_start(void *context)
{
    check_t *self = context;
    self->stopped = JSON_TEXT_TOO_DEEP;
    return ++self->depth <= self->most;
}

static int check_end(void *context)
{
    ((check_t *)context)->depth--;
    return 1;
}

static int check_number(void *context, const char *number, size_t size)
{
    ((check_t *)context)->stopped = JSON_TEXT_TOO_LARGE;
    return isfinite(json_text_number(number, size));
}

bool json_text_is_valid(const char *text, size_t size, size_t more_levels, char **error)
{
    static const yajl_callbacks callbacks = {
        .yajl_number = check_number,
        .yajl_start_map = check_start,
        .yajl_end_map = check_end,
        .yajl_start_array = check_start,
        .yajl_end_array = check_end,
    };
    check_t self = {.most = JSON_TEXT_MAX_DEPTH + more_levels};
    *error = json_text_parse(&callbacks, &self, &self.stopped, text, size);
    return !*error;
}

double json_text_number(const char *number, size_t size)
{
    char small[32];
    if (size < sizeof small) {
        memcpy(small, number, size);
        small[size] = '\0';
        return strtod(small, NULL);
    }
    char *large = memory_copy(number, size);
    const double value = strtod(large, NULL);
    free(large);
    return value;
}

void json_text_write_compact(FILE *out, const char *text, size_t size)
{
    size_t start = 0;
    for (size_t i = 0; i < size;) {
        if (text[i] == '"') {
            i = skip_string(text, size, i);
        } else if (is_space(text[i])) {
            fwrite(text + start, 1, i - start, out);
            start = ++i;
        } else {
            i++;
        }
    }
    fwrite(text + start, 1, size - start, out);
}

static size_t skip_space(json_slice_t text, size_t at)
{
    return at + blank_length(text.text + at, text.size - at);
}

/* Skips the value that begins at text[at]. */
static size_t skip_value(json_slice_t text, size_t at)
{
    size_t depth = 0;
    while (at < text.size) {
        const char c = text.text[at];
        if (c == '"') {
            at = skip_string(text.text, text.size, at);
        } else if (c == '{' || c == '[') {
            depth++;
            at++;
        } else if (c == '}' || c == ']') {
            if (depth == 0)
                break; /* the end of what a number stands in */
            depth--;
            at++;
        } else if (depth == 0 && (c == ',' || is_space(c))) {
            break;
        } else {
            at++;
            continue; /* within a number or a word, or between values */
        }
        if (depth == 0)
            break;
    }
    return at;
}

bool json_text_member(json_slice_t object, size_t *at, json_member_t *member)
{
    size_t i = skip_space(object, *at);
    if (i >= object.size || (object.text[i] != '{' && object.text[i] != ','))
        return false;
    i = skip_space(object, i + 1);
    if (i >= object.size || object.text[i] != '"')
        return false;
    size_t end = skip_string(object.text, object.size, i);
    member->key = (json_slice_t){object.text + i, end - i};
    i = skip_space(object, end);
    if (i >= object.size || object.text[i] != ':')
        return false;
    i = skip_space(object, i + 1);
    end = skip_value(object, i);
    member->value = (json_slice_t){object.text + i, end - i};
    *at = end;
    return true;
}

typedef struct {
    char *text;
    size_t size;
} string_t;

static int take_string(void *context, const unsigned char *text, size_t size)
{
    string_t *string = context;
    free(string->text);
    *string = (string_t){memory_copy((const char *)text, size), size};
    return 1;
}

char *json_text_string(json_slice_t string, size_t *size)
{
    static const yajl_callbacks callbacks = {.yajl_string = take_string};
    const char *stopped = "";
    string_t result = {NULL, 0};
    free(json_text_parse(&callbacks, &result, &stopped, string.text, string.size));
    if (size)
        *size = result.size;
    return result.text ? result.text : memory_string("");
}

void json_text_write_string(FILE *out, const char *text, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)text;
    bool in_garbage = false;
    putc('"', out);
    for (size_t i = 0; i < size;) {
        const size_t length = utf8_length(bytes + i, size - i);
        if (length == 0) {
            if (!in_garbage)
                fputs("\\ufffd", out);
            in_garbage = true;
            i++;
            continue;
        }
        in_garbage = false;
        if (bytes[i] == '"' || bytes[i] == '\\')
            fprintf(out, "\\%c", bytes[i]);
        else if (bytes[i] < 0x20 || bytes[i] == 0x7f)
            fprintf(out, "\\u%04x", bytes[i]);
        else
            fwrite(bytes + i, 1, length, out);
        i += length;
    }
    putc('"', out);
}
