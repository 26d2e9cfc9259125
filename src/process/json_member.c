#include "process/json_member.h"

#include <stdlib.h>
#include <string.h>

static const char *skip_spaces(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

/* The four digits of \u; -1 if they aren't. */
static long hexadecimal(const char *at)
{
    char digits[5] = "";
    char *end = NULL;
    strncpy(digits, at, 4);
    if (strspn(digits, "0123456789abcdefABCDEF") != 4)
        return -1;
    return strtol(digits, &end, 16);
}

/* A character as UTF-8, into text, of 3 bytes; how many it takes. */
static size_t encode(unsigned long code, char *text)
{
    if (code < 0x80) {
        text[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        text[0] = (char)(0xc0 | code >> 6);
        text[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    text[0] = (char)(0xe0 | code >> 12);
    text[1] = (char)(0x80 | (code >> 6 & 0x3f));
    text[2] = (char)(0x80 | (code & 0x3f));
    return 3;
}

/* What follows a backslash, into text, of 3 bytes; *at is moved behind it. How many bytes it is; 0
 * if it is wrong. */
static size_t unescape(const char **at, char *text)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    const char *found = **at != '\0' ? strchr(from, **at) : NULL;
    if (found != NULL) {
        (*at)++;
        text[0] = to[found - from];
        return 1;
    }
    const long code = **at == 'u' ? hexadecimal(*at + 1) : -1;
    if (code < 0)
        return 0;
    *at += 5;
    const bool is_whole = code != 0 && (code < 0xd800 || code > 0xdfff);
    return encode(is_whole ? (unsigned long)code : '?', text);
}

/* Reads a text, at its quote; returns what is behind it, or NULL if it doesn't end. */
static const char *read_text(const char *at, char *text, size_t size)
{
    size_t length = 0;
    if (size > 0)
        text[0] = '\0';
    for (at++; *at != '"';) {
        char bytes[3] = {*at};
        size_t count = 1;
        if (*at++ == '\\')
            count = unescape(&at, bytes);
        if (count == 0 || bytes[0] == '\0')
            return NULL;
        if (length + count >= size)
            size = 0; /* the rest is cut off */
        for (size_t i = 0; i < count && size > 0; i++)
            text[length++] = bytes[i];
        if (size > 0)
            text[length] = '\0';
    }
    return at + 1;
}

/* Behind a value, which may contain others; NULL if it doesn't end. */
static const char *skip_value(const char *at)
{
    size_t depth = 0;
    for (;; at++) {
        if (*at == '"') {
            at = read_text(at, NULL, 0);
            if (at == NULL)
                return NULL;
            at--;
        } else if (*at == '{' || *at == '[') {
            depth++;
        } else if (depth > 0 && (*at == '}' || *at == ']')) {
            depth--;
        } else if (*at == '\0') {
            return NULL;
        } else if (depth == 0 && (*at == ',' || *at == '}' || *at == ']')) {
            return at;
        }
    }
}

bool json_member_text(const char *object, const char *key, char *text, size_t size)
{
    char name[64];
    const char *at = skip_spaces(object);
    if (size > 0)
        text[0] = '\0';
    if (*at != '{')
        return false;
    do {
        at = skip_spaces(at + 1);
        at = *at == '"' ? read_text(at, name, sizeof name) : NULL;
        at = at != NULL ? skip_spaces(at) : NULL;
        if (at == NULL || *at != ':')
            return false;
        at = skip_spaces(at + 1);
        if (strcmp(name, key) == 0) {
            const bool found = *at == '"' && read_text(at, text, size) != NULL;
            if (!found && size > 0)
                text[0] = '\0';
            return found;
        }
        at = skip_value(at);
    } while (at != NULL && *at == ',');
    return false;
}
