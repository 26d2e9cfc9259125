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
        const size_t length = json_scan_utf8_length((const unsigned char *)text + i, size - i);
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
            i = json_scan_skip_string(text, size, i);
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

char *json_text_walk(const yajl_callbacks *callbacks, void *context, const char **stopped,
                     const char *text, size_t size)
{
    size_t offset = 0;
    if (json_scan_walk(callbacks, context, text, size, &offset))
        return NULL;
    return error_at(text, offset < size ? offset : size, *stopped ? *stopped : "not valid");
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
    return json_text_index(text, size, more_levels, NULL, error);
}

bool json_text_index(const char *text, size_t size, size_t more_levels, json_spans_t *spans,
                     char **error)
{
    static const yajl_callbacks callbacks = {
        .yajl_number = check_number,
        .yajl_start_map = check_start,
        .yajl_end_map = check_end,
        .yajl_start_array = check_start,
        .yajl_end_array = check_end,
    };
    check_t self = {.most = JSON_TEXT_MAX_DEPTH + more_levels};
    *error = NULL;
    if (json_scan_check(text, size, self.most, spans))
        return true;
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
            i = json_scan_skip_string(text, size, i);
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

bool json_text_member(json_slice_t object, size_t *at, json_member_t *member)
{
    return json_text_member_in(NULL, object, at, member);
}

bool json_text_key(json_slice_t text, size_t *at, json_slice_t *key)
{
    size_t i = skip_space(text, *at);
    if (i >= text.size || (text.text[i] != '{' && text.text[i] != ','))
        return false;
    i = skip_space(text, i + 1);
    if (i >= text.size || text.text[i] != '"')
        return false;
    const size_t end = json_scan_skip_string(text.text, text.size, i);
    *key = (json_slice_t){text.text + i, end - i};
    i = skip_space(text, end);
    if (i >= text.size || text.text[i] != ':')
        return false;
    *at = skip_space(text, i + 1);
    return true;
}

size_t json_text_end(json_slice_t text, size_t at)
{
    const size_t brace = skip_space(text, at);
    return brace < text.size ? brace + 1 : text.size;
}

bool json_text_member_in(const json_spans_t *spans, json_slice_t object, size_t *at,
                         json_member_t *member)
{
    size_t begin = *at;
    if (!json_text_key(object, &begin, &member->key))
        return false;
    const char *known = spans ? json_spans_end(spans, object.text + begin) : NULL;
    *at = known ? (size_t)(known - object.text)
                : json_scan_skip_value(object.text, object.size, begin);
    member->value = (json_slice_t){object.text + begin, *at - begin};
    return true;
}

char *json_text_string(json_slice_t string, size_t *size)
{
    const size_t quotes = 2;
    const size_t length = string.size > quotes ? string.size - quotes : 0;
    char *text = memory_resize(NULL, length + 1, 1);
    const size_t decoded = length > 0 ? json_scan_decode(string.text + 1, length, text) : 0;
    text[decoded] = '\0';
    if (size)
        *size = decoded;
    return text;
}

void json_text_write_string(FILE *out, const char *text, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)text;
    bool in_garbage = false;
    putc('"', out);
    for (size_t i = 0; i < size;) {
        const size_t length = json_scan_utf8_length(bytes + i, size - i);
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
