#include "launcher/attach/json_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { INDENT = 2 };

/* How many bytes the character takes that text begins with, which is not ASCII; 0 if it is not
 * UTF-8. Source: table 3-7 of The Unicode Standard. */
static size_t character_size(const unsigned char *text)
{
    const unsigned char first = text[0];
    const unsigned char second = text[1];
    const bool continues = (second & 0xc0) == 0x80;
    if (first >= 0xc2 && first <= 0xdf && continues)
        return 2;
    if (!continues || (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f) ||
        (text[2] & 0xc0) != 0x80)
        return 0;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    return first >= 0xf0 && first <= 0xf4 && (text[3] & 0xc0) == 0x80 ? 4 : 0;
}

void json_text_print(const char *text)
{
    putchar('"');
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0';) {
        const size_t size = *at < 0x80 ? 1 : character_size(at);
        if (*at < 0x20 || *at == 0x7f)
            printf("\\u%04x", *at);
        else if (*at == '"' || *at == '\\')
            printf("\\%c", *at);
        else if (size == 0)
            printf("\\ufffd");
        else
            fwrite(at, 1, size, stdout);
        at += size > 0 ? size : 1;
    }
    putchar('"');
}

static void break_line(size_t depth)
{
    printf("\n%*s", (int)(depth * INDENT < 1000 ? depth * INDENT : 1000), "");
}

/* Behind the text that begins at `at`, which is printed. */
static size_t print_string(const char *json, size_t size, size_t at)
{
    size_t end = at + 1;
    while (end < size && json[end] != '"')
        end += json[end] == '\\' ? 2 : 1;
    end = end < size ? end + 1 : size;
    fwrite(json + at, 1, end - at, stdout);
    return end;
}

/* The first byte from `at` on that is no white space; 0 if there is none. */
static char next_byte(const char *json, size_t size, size_t at)
{
    while (at < size && strchr(" \t\r\n", json[at]) != NULL && json[at] != '\0')
        at++;
    return at < size ? json[at] : '\0';
}

void json_text_print_indented(const char *json, size_t size)
{
    size_t depth = 0;
    for (size_t at = 0; at < size;) {
        const char byte = json[at];
        const char next = next_byte(json, size, at + 1);
        if (byte == '"') {
            at = print_string(json, size, at);
            continue;
        }
        at++;
        if (byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n')
            continue;
        if ((byte == '}' || byte == ']') && depth > 0)
            break_line(--depth);
        putchar(byte);
        if ((byte == '{' && next == '}') || (byte == '[' && next == ']')) {
            at += strcspn(json + at, "}]");
            putchar(next);
            at++;
        } else if (byte == '{' || byte == '[') {
            break_line(++depth);
        } else if (byte == ',') {
            break_line(depth);
        } else if (byte == ':') {
            putchar(' ');
        }
    }
    putchar('\n');
}
