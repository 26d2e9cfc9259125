#include "monitor/json_text.h"

#include <jansson.h>
#include <string.h>

#include "response/memory.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Goes over a string's opening quote at text[i]; returns the index behind its closing one. */
static size_t skip_string(const char *text, size_t size, size_t i)
{
    for (i++; i < size && text[i] != '"'; i++)
        if (text[i] == '\\')
            i++;
    return i < size ? i + 1 : size;
}

/* The greatest number of open brackets; of a text that may be no JSON, too. */
static size_t depth_of(const char *text, size_t size)
{
    size_t depth = 0;
    size_t deepest = 0;
    for (size_t i = 0; i < size;) {
        if (text[i] == '"') {
            i = skip_string(text, size, i);
            continue;
        }
        if (text[i] == '{' || text[i] == '[') {
            depth++;
            if (depth > deepest)
                deepest = depth;
        } else if ((text[i] == '}' || text[i] == ']') && depth > 0) {
            depth--;
        }
        i++;
    }
    return deepest;
}

bool json_text_is_valid(const char *text, size_t size, char **error)
{
    *error = NULL;
    if (depth_of(text, size) > JSON_TEXT_MAX_DEPTH) {
        *error = memory_format("more than %d levels deep", JSON_TEXT_MAX_DEPTH);
        return false;
    }
    json_error_t why;
    json_t *value =
        json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &why);
    if (!value) {
        *error = memory_format("%s, at line %d, column %d", why.text, why.line, why.column);
        return false;
    }
    json_decref(value);
    return true;
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
