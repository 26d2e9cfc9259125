#include "walk.h"

typedef struct {
    uint8_t *data;
    uint64_t size; /* 64 bits: no sum of lengths overflows */
    uint64_t begin;
    uint64_t at;
    bool little_endian;
    bool ok;
} walk_t;

static void skip(walk_t *self, uint64_t count)
{
    self->at += count;
    self->ok = self->ok && self->at <= self->size;
}

/* A number of size bytes, aligned to its size; byte-swapped in place. */
static uint64_t number(walk_t *self, uint64_t width)
{
    while ((self->at - self->begin) % width != 0)
        skip(self, 1);
    uint64_t from = self->at;
    skip(self, width);
    if (!self->ok)
        return 0;
    uint64_t value = 0;
    for (uint64_t i = 0; i < width; i++) {
        uint64_t place = self->little_endian ? width - 1 - i : i;
        value = value << 8 | self->data[from + place];
    }
    for (uint64_t i = 0; i < width / 2; i++) {
        uint8_t byte = self->data[from + i];
        self->data[from + i] = self->data[from + width - 1 - i];
        self->data[from + width - 1 - i] = byte;
    }
    return value;
}

static void string(walk_t *self)
{
    skip(self, number(self, 4));
}

/* A sequence of numbers, of strings, or of pairs of strings. */
static void numbers(walk_t *self, uint64_t width)
{
    uint64_t count = number(self, 4);
    for (uint64_t i = 0; i < count && self->ok; i++)
        number(self, width);
}

static void strings(walk_t *self, int of_each)
{
    uint64_t count = number(self, 4);
    for (uint64_t i = 0; i < count && self->ok; i++)
        for (int j = 0; j < of_each; j++)
            string(self);
}

static walk_t begin(uint8_t *frame, size_t size, size_t padding, bool little_endian)
{
    return (walk_t){.data = frame,
                    .size = size,
                    .begin = padding,
                    .at = padding,
                    .little_endian = little_endian,
                    .ok = padding <= size};
}

walk_result_t walk_call(uint8_t *frame, size_t size, bool little_endian)
{
    walk_t walk = begin(frame, size, 0, little_endian);
    walk_result_t result = {0};
    number(&walk, 4);
    result.counter = (uint32_t)number(&walk, 4);
    uint64_t before_name = walk.at;
    string(&walk);
    /* The method's name has its NUL, so it isn't empty: the length takes four bytes, aligned. */
    uint64_t name_begins = (before_name + 3) / 4 * 4 + 4;
    walk.ok = walk.ok && walk.at > name_begins && frame[walk.at - 1] == '\0';
    string(&walk);
    skip(&walk, 1);
    result.ok = walk.ok;
    result.end = (size_t)walk.at;
    result.is_error = walk.ok && frame[walk.at - 1] != 0;
    return result;
}

static walk_result_t finish_with_time(walk_t *walk)
{
    walk_result_t result = {0};
    int64_t seconds = (int32_t)number(walk, 4);
    int64_t micros = (int32_t)number(walk, 4);
    int64_t nanos = (int32_t)number(walk, 4);
    result.time_ns = seconds * INT64_C(1000000000) + micros * 1000 + nanos;
    result.ok = walk->ok && micros >= 0 && micros <= 999999 && nanos >= 0 && nanos <= 999;
    result.end = (size_t)walk->at;
    return result;
}

walk_result_t walk_value(uint8_t *frame, size_t size, bool little_endian, int idl)
{
    /* How wide the elements of each type are; 1: bytes, 0: something else. */
    static const uint8_t widths[15] = {1, 2, 4, 8, 4, 8, 1, 2, 4, 8, 0, 4, 0, 0, 0};
    walk_t walk = begin(frame, size, 4, little_endian);
    uint64_t type = number(&walk, 4);
    if (type > 14)
        walk.ok = false;
    else if (widths[type] > 0)
        numbers(&walk, widths[type]);
    else if (type == 10)
        strings(&walk, 1);
    else if (type == 13)
        strings(&walk, 2);
    else if (type == 12)
        number(&walk, 4);
    else
        skip(&walk, 1);
    uint64_t quality = number(&walk, 4);
    uint64_t format = number(&walk, 4);
    walk.ok = walk.ok && quality <= 4 && format <= 3;
    if (idl >= 5)
        number(&walk, 4);
    return finish_with_time(&walk);
}

walk_result_t walk_pipe(uint8_t *frame, size_t size, bool little_endian)
{
    walk_t walk = begin(frame, size, 8, little_endian);
    string(&walk);
    return finish_with_time(&walk);
}
