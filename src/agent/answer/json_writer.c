#include "agent/answer/json_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void json_init(json_writer_t *self)
{
    *self = (json_writer_t){0};
}

size_t json_size(const json_writer_t *self)
{
    return self->size;
}

static void append(json_writer_t *self, const char *text, size_t length)
{
    if (self->failed)
        return;
    if (length >= self->capacity - self->size) {
        size_t capacity = (self->capacity + length + 1) * 2;
        char *grown = realloc(self->text, capacity);
        if (!grown) {
            self->failed = true;
            return;
        }
        self->text = grown;
        self->capacity = capacity;
    }
    memcpy(self->text + self->size, text, length);
    self->size += length;
    self->text[self->size] = '\0';
}

char *json_take(json_writer_t *self)
{
    char *text = self->text;
    if (self->failed) {
        free(text);
        text = NULL;
    }
    json_init(self);
    return text;
}

static void begin_value(json_writer_t *self)
{
    if (self->needs_comma)
        append(self, ", ", 2);
    self->needs_comma = true;
}

static void open_with(json_writer_t *self, const char *bracket)
{
    begin_value(self);
    append(self, bracket, 1);
    self->needs_comma = false;
}

static void close_with(json_writer_t *self, const char *bracket)
{
    append(self, bracket, 1);
    self->needs_comma = true;
}

void json_open_object(json_writer_t *self)
{
    open_with(self, "{");
}

void json_close_object(json_writer_t *self)
{
    close_with(self, "}");
}

void json_open_list(json_writer_t *self)
{
    open_with(self, "[");
}

void json_close_list(json_writer_t *self)
{
    close_with(self, "]");
}

void json_key(json_writer_t *self, const char *key)
{
    json_string(self, key);
    append(self, ": ", 2);
    self->needs_comma = false;
}

void json_string(json_writer_t *self, const char *value)
{
    begin_value(self);
    append(self, "\"", 1);
    const char *plain = value; /* start of the run that needs no escape */
    for (; *value; value++) {
        unsigned char byte = (unsigned char)*value;
        if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\')
            continue;
        append(self, plain, (size_t)(value - plain));
        plain = value + 1;
        char escape[8];
        int length = byte == '"' || byte == '\\' ? snprintf(escape, sizeof escape, "\\%c", byte)
                                                 : snprintf(escape, sizeof escape, "\\u%04x", byte);
        append(self, escape, (size_t)length);
    }
    append(self, plain, (size_t)(value - plain));
    append(self, "\"", 1);
}

/* The character that begins there, of so many bytes; U+FFFD for a byte that begins none. */
static uint32_t decode(const char *text, size_t *length)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char first = (unsigned char)*text;
    size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    uint32_t character = size == 1 ? first : first & (0x7fU >> size);
    *length = 1;
    if (first >= 0x80 && (size == 1 || first >= 0xf8))
        return 0xfffd;
    for (size_t i = 1; i < size; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 0xfffd;
        character = character << 6 | ((unsigned char)text[i] & 0x3f);
    }
    if (character < smallest[size] || character > 0x10ffff ||
        (character >= 0xd800 && character < 0xe000))
        return 0xfffd;
    *length = size;
    return character;
}

void json_utf8(json_writer_t *self, const char *value)
{
    begin_value(self);
    append(self, "\"", 1);
    for (size_t length; *value; value += length) {
        char escape[16];
        const uint32_t character = decode(value, &length);
        if (character < 0x20 || character == 0x7f || character == '"' || character == '\\' ||
            character == 0xfffd) {
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)character);
            append(self, escape, strlen(escape));
        } else {
            append(self, value, length);
        }
    }
    append(self, "\"", 1);
}

static void raw_value(json_writer_t *self, const char *text)
{
    begin_value(self);
    append(self, text, strlen(text));
}

void json_integer(json_writer_t *self, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    raw_value(self, text);
}

void json_unsigned(json_writer_t *self, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    raw_value(self, text);
}

void json_bool(json_writer_t *self, bool value)
{
    raw_value(self, value ? "true" : "false");
}

void json_null(json_writer_t *self)
{
    raw_value(self, "null");
}

void json_time(json_writer_t *self, int64_t time_ns)
{
    if (time_ns == 0) {
        json_null(self);
        return;
    }
    time_t seconds = (time_t)(time_ns / 1000000000);
    int micros = (int)(time_ns % 1000000000 / 1000);
    struct tm parts;
    char text[64] = "";
    if (gmtime_r(&seconds, &parts)) {
        size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
        snprintf(text + length, sizeof text - length, ".%06d+00:00", micros);
    }
    json_string(self, text);
}
