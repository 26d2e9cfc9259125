#include "base/json_scan.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/memory.h"

/* Spans are of this many levels: those around an answer in a recording, and the answer itself. */
enum { SPAN_LEVELS = 4 };

/* Shorter ones are passed over as quickly as they are found. */
enum { SPAN_SIZE = 256 };

/* A number that is longer is left to the parser, and so is one with more digits in its exponent:
 * all others are finite. */
enum { NUMBER_SIZE = 32, EXPONENT_DIGITS = 2 };

/* Which levels are objects. */
enum { BITS = 64 };
typedef struct {
    uint64_t objects[JSON_SCAN_LEVELS / BITS];
    size_t depth;
} levels_t;

static void levels_push(levels_t *self, bool is_object)
{
    const uint64_t bit = UINT64_C(1) << self->depth % BITS;
    uint64_t *word = &self->objects[self->depth / BITS];
    *word = is_object ? *word | bit : *word & ~bit;
    self->depth++;
}

static bool levels_in_object(const levels_t *self)
{
    const size_t level = self->depth - 1;
    return self->depth > 0 && (self->objects[level / BITS] >> level % BITS & 1);
}

/* ---- spans ---- */

void json_spans_clear(json_spans_t *self)
{
    free(self->spans);
    *self = (json_spans_t){0};
}

static size_t spans_open(json_spans_t *self, size_t begin)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : (size_t)SPAN_SIZE;
        self->spans = memory_resize(self->spans, self->capacity, sizeof *self->spans);
    }
    self->spans[self->count] = (json_span_t){begin, begin};
    return self->count++;
}

/* One that is too small contains no other: it is the last. */
static void spans_close(json_spans_t *self, size_t place, size_t end)
{
    self->spans[place].end = end;
    if (end - self->spans[place].begin < SPAN_SIZE)
        self->count = place;
}

static int compare_begin(const void *key, const void *span)
{
    const size_t begin = *(const size_t *)key;
    const size_t other = ((const json_span_t *)span)->begin;
    return (begin > other) - (begin < other);
}

const char *json_spans_end(const json_spans_t *self, const char *begin)
{
    if (!self->text)
        return NULL;
    const size_t key = (size_t)(begin - self->text);
    const json_span_t *span =
        bsearch(&key, self->spans, self->count, sizeof *self->spans, compare_begin);
    return span ? self->text + span->end : NULL;
}

/* ---- tokens ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t skip_space(const char *text, size_t size, size_t i)
{
    while (i < size && is_space(text[i]))
        i++;
    return i;
}

size_t json_scan_utf8_length(const unsigned char *bytes, size_t size)
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

/* The index of the next byte that isn't simply part of a string: eight at a time. */
static size_t skip_plain(const char *text, size_t size, size_t i)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t high_bits = 0x80 * ones;
    uint64_t word = 0;
    for (; size - i >= sizeof word; i += sizeof word) {
        memcpy(&word, text + i, sizeof word);
        const uint64_t quotes = (word ^ '"' * ones) - ones;
        const uint64_t escapes = (word ^ '\\' * ones) - ones;
        const uint64_t controls = word - ' ' * ones;
        /* Wrong only above one that is right. */
        if ((quotes | escapes | controls | word) & high_bits)
            break;
    }
    while (i < size && (unsigned char)text[i] >= ' ' && (unsigned char)text[i] < 0x80 &&
           text[i] != '"' && text[i] != '\\')
        i++;
    return i;
}

/* The index of the quote that ends the string which text[i] is in; size if there is none. escapes:
 * becomes true if there are any. */
static size_t string_end(const char *text, size_t size, size_t i, bool *escapes)
{
    while (i < size) {
        i = skip_plain(text, size, i);
        if (i >= size || text[i] == '"')
            break;
        *escapes |= text[i] == '\\';
        i += text[i] == '\\' ? 2 : 1;
    }
    return i < size ? i : size;
}

size_t json_scan_skip_string(const char *text, size_t size, size_t begin)
{
    bool escapes = false;
    const size_t end = string_end(text, size, begin + 1, &escapes);
    return end < size ? end + 1 : size;
}

size_t json_scan_skip_value(const char *text, size_t size, size_t begin)
{
    static const char stops[UCHAR_MAX + 1] = {
        ['"'] = 1, ['{'] = 1, ['['] = 1, ['}'] = 1, [']'] = 1};
    size_t i = begin;
    size_t depth = 0;
    if (i < size && !stops[(unsigned char)text[i]]) {
        while (i < size && text[i] != ',' && text[i] != '}' && text[i] != ']' && !is_space(text[i]))
            i++;
        return i;
    }
    while (i < size) {
        const char c = text[i];
        if (!stops[(unsigned char)c]) {
            i++;
            continue;
        }
        if ((c == '}' || c == ']') && depth == 0)
            break; /* the end of what a number stands in */
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        i = c == '"' ? json_scan_skip_string(text, size, i) : i + 1;
        if (depth == 0)
            break;
    }
    return i;
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    const char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The code unit of four digits; -1 if they are not hexadecimal. */
static long hex_unit(const char *text, size_t size)
{
    long unit = 0;
    for (size_t i = 0; i < 4; i++) {
        const int digit = i < size ? hex_digit(text[i]) : -1;
        if (digit < 0)
            return -1;
        unit = 16 * unit + digit;
    }
    return unit;
}

static bool is_high(long unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low(long unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

/* The index after the escape whose backslash is at text[i], or after a pair of them; 0 if it isn't
 * valid. */
static size_t check_escape(const char *text, size_t size, size_t i)
{
    if (i + 1 >= size)
        return 0;
    if (text[i + 1] != 'u')
        return text[i + 1] && strchr("\"\\/bfnrt", text[i + 1]) ? i + 2 : 0;
    const long unit = hex_unit(text + i + 2, size - i - 2);
    i += 6;
    if (unit < 0 || is_low(unit))
        return 0;
    if (!is_high(unit))
        return i;
    return size - i > 2 && text[i] == '\\' && text[i + 1] == 'u' &&
                   is_low(hex_unit(text + i + 2, size - i - 2))
               ? i + 6
               : 0;
}

/* The index after the string whose quote is at text[begin]; 0 if it isn't valid. */
static size_t check_string(const char *text, size_t size, size_t begin)
{
    size_t i = begin + 1;
    for (;;) {
        i = skip_plain(text, size, i);
        if (i >= size)
            return 0;
        if (text[i] == '"')
            return i - begin < JSON_TEXT_MAX_TOKEN ? i + 1 : 0;
        if (text[i] == '\\') {
            i = check_escape(text, size, i);
            if (i == 0)
                return 0;
            continue;
        }
        const size_t length =
            (unsigned char)text[i] < 0x80
                ? 0
                : json_scan_utf8_length((const unsigned char *)text + i, size - i);
        if (length == 0)
            return 0;
        i += length;
    }
}

static size_t skip_digits(const char *text, size_t size, size_t i)
{
    while (i < size && is_digit(text[i]))
        i++;
    return i;
}

/* The index after the number that begins at text[begin]; 0 if it isn't valid, or may be too large.
 */
static size_t check_number(const char *text, size_t size, size_t begin)
{
    const size_t first = begin + (text[begin] == '-');
    size_t i = skip_digits(text, size, first);
    if (i == first || (text[first] == '0' && i > first + 1))
        return 0;
    if (i < size && text[i] == '.') {
        const size_t point = i;
        i = skip_digits(text, size, i + 1);
        if (i == point + 1)
            return 0;
    }
    if (i < size && (text[i] == 'e' || text[i] == 'E')) {
        const size_t sign = i + 1;
        const size_t digits = sign + (sign < size && (text[sign] == '-' || text[sign] == '+'));
        i = skip_digits(text, size, digits);
        if (i == digits || i - digits > EXPONENT_DIGITS)
            return 0;
    }
    return i - begin <= NUMBER_SIZE ? i : 0;
}

static size_t check_word(const char *text, size_t size, size_t i)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        const size_t length = strlen(words[w]);
        if (size - i >= length && memcmp(text + i, words[w], length) == 0)
            return i + length;
    }
    return 0;
}

/* ---- to check ---- */

typedef struct {
    const char *text;
    size_t size;
    size_t at;
    levels_t levels;
    size_t most; /* levels */
    json_spans_t *spans;
    size_t open[SPAN_LEVELS]; /* the places of those that are open */
} check_t;

/* The index after a key and its colon. */
static bool check_key(check_t *self)
{
    size_t i = skip_space(self->text, self->size, self->at);
    if (i >= self->size || self->text[i] != '"')
        return false;
    i = check_string(self->text, self->size, i);
    if (i == 0)
        return false;
    i = skip_space(self->text, self->size, i);
    self->at = i + 1;
    return i < self->size && self->text[i] == ':';
}

static bool check_open(check_t *self, bool is_object)
{
    const size_t depth = self->levels.depth;
    if (depth >= self->most)
        return false;
    if (self->spans && depth < SPAN_LEVELS)
        self->open[depth] = spans_open(self->spans, self->at);
    levels_push(&self->levels, is_object);
    self->at++;
    return true;
}

static void check_close(check_t *self)
{
    const size_t depth = --self->levels.depth;
    self->at++;
    if (self->spans && depth < SPAN_LEVELS)
        spans_close(self->spans, self->open[depth], self->at);
}

/* Up to the end of a value, or the beginning of the next one within it. *open: the latter. */
static bool check_value(check_t *self, bool *open)
{
    *open = false;
    const size_t i = skip_space(self->text, self->size, self->at);
    self->at = i;
    if (i >= self->size)
        return false;
    const char c = self->text[i];
    if (c != '{' && c != '[') {
        self->at = c == '"'                  ? check_string(self->text, self->size, i)
                   : c == '-' || is_digit(c) ? check_number(self->text, self->size, i)
                                             : check_word(self->text, self->size, i);
        return self->at > 0;
    }
    const bool is_object = c == '{';
    if (!check_open(self, is_object))
        return false;
    self->at = skip_space(self->text, self->size, self->at);
    if (self->at < self->size && self->text[self->at] == (is_object ? '}' : ']')) {
        check_close(self);
        return true;
    }
    *open = true;
    return !is_object || check_key(self);
}

/* After a value: ends what ends there. *more: another value follows. */
static bool check_after(check_t *self, bool *more)
{
    *more = false;
    for (;;) {
        self->at = skip_space(self->text, self->size, self->at);
        if (self->levels.depth == 0)
            return self->at == self->size;
        if (self->at >= self->size)
            return false;
        const bool in_object = levels_in_object(&self->levels);
        const char c = self->text[self->at];
        if (c == ',') {
            self->at++;
            *more = true;
            return !in_object || check_key(self);
        }
        if (c != (in_object ? '}' : ']'))
            return false;
        check_close(self);
    }
}

bool json_scan_check(const char *text, size_t size, size_t levels, json_spans_t *spans)
{
    check_t self = {.text = text, .size = size, .most = levels, .spans = spans};
    if (spans) {
        spans->text = text;
        spans->count = 0;
    }
    bool more = true;
    bool good = true;
    while (good && more) {
        good = check_value(&self, &more);
        if (good && !more)
            good = check_after(&self, &more);
    }
    if (!good && spans) {
        spans->text = NULL;
        spans->count = 0;
    }
    return good;
}

/* ---- to walk through ---- */

typedef struct {
    const yajl_callbacks *callbacks;
    void *context;
    const char *text;
    size_t size;
    size_t at;
    levels_t levels;
    char *decoded;
    size_t capacity;
} walk_t;

static size_t put_utf8(long point, char *out)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xc0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3f));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xe0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3f));
        out[2] = (char)(0x80 | (point & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3f));
    out[2] = (char)(0x80 | (point >> 6 & 0x3f));
    out[3] = (char)(0x80 | (point & 0x3f));
    return 4;
}

/* Decodes the escape whose backslash is at text[*i], or a pair of them; *i becomes the index after
 * it. No escape is shorter than its UTF-8. */
static size_t decode_escape(const char *text, size_t size, size_t *i, char *out)
{
    static const char letters[] = "bfnrt";
    static const char meanings[] = "\b\f\n\r\t";
    const char c = *i + 1 < size ? text[*i + 1] : '\\';
    if (c != 'u') {
        const char *letter = c ? strchr(letters, c) : NULL;
        *out = letter ? meanings[letter - letters] : c;
        *i = *i + 2 < size ? *i + 2 : size;
        return 1;
    }
    long point = hex_unit(text + *i + 2, size - *i - 2);
    *i = size - *i > 6 ? *i + 6 : size;
    if (point < 0)
        return 0;
    if (is_high(point) && size - *i >= 6) {
        const long low = hex_unit(text + *i + 2, size - *i - 2);
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        *i += 6;
        if (!is_low(low))
            return 0;
    }
    return put_utf8(point, out);
}

size_t json_scan_decode(const char *text, size_t size, char *decoded)
{
    size_t written = 0;
    for (size_t i = 0; i < size;) {
        const char *escape = memchr(text + i, '\\', size - i);
        const size_t plain = escape ? (size_t)(escape - text) - i : size - i;
        memcpy(decoded + written, text + i, plain);
        written += plain;
        i += plain;
        if (escape)
            written += decode_escape(text, size, &i, decoded + written);
    }
    return written;
}

/* A string or, in place of it, a key. */
static bool walk_string(walk_t *self, int (*take)(void *, const unsigned char *, size_t))
{
    bool escapes = false;
    const size_t begin = self->at + 1;
    const size_t end = string_end(self->text, self->size, begin, &escapes);
    if (end >= self->size)
        return false;
    self->at = end + 1;
    if (!take)
        return true;
    const char *string = self->text + begin;
    size_t size = end - begin;
    if (escapes) {
        if (self->capacity < size) {
            self->decoded = memory_resize(self->decoded, size, 1);
            self->capacity = size;
        }
        size = json_scan_decode(string, size, self->decoded);
        string = self->decoded;
    }
    return take(self->context, (const unsigned char *)string, size) != 0;
}

static bool walk_key(walk_t *self)
{
    self->at = skip_space(self->text, self->size, self->at);
    if (self->at >= self->size || self->text[self->at] != '"' ||
        !walk_string(self, self->callbacks->yajl_map_key))
        return false;
    self->at = skip_space(self->text, self->size, self->at) + 1;
    return self->at <= self->size;
}

static bool walk_word(walk_t *self)
{
    const char c = self->text[self->at];
    const size_t end = check_word(self->text, self->size, self->at);
    if (end == 0)
        return false;
    self->at = end;
    if (c == 'n')
        return !self->callbacks->yajl_null || self->callbacks->yajl_null(self->context) != 0;
    return !self->callbacks->yajl_boolean ||
           self->callbacks->yajl_boolean(self->context, c == 't') != 0;
}

static bool is_of_number(char c)
{
    return is_digit(c) || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E';
}

static bool walk_number(walk_t *self)
{
    const size_t begin = self->at;
    while (self->at < self->size && is_of_number(self->text[self->at]))
        self->at++;
    return !self->callbacks->yajl_number ||
           self->callbacks->yajl_number(self->context, self->text + begin, self->at - begin) != 0;
}

static bool walk_open(walk_t *self, bool is_object)
{
    const yajl_callbacks *callbacks = self->callbacks;
    int (*take)(void *) = is_object ? callbacks->yajl_start_map : callbacks->yajl_start_array;
    self->at++;
    if (self->levels.depth == JSON_SCAN_LEVELS || (take && take(self->context) == 0))
        return false;
    levels_push(&self->levels, is_object);
    return true;
}

static bool walk_close(walk_t *self)
{
    const yajl_callbacks *callbacks = self->callbacks;
    int (*take)(void *) =
        levels_in_object(&self->levels) ? callbacks->yajl_end_map : callbacks->yajl_end_array;
    self->at++;
    self->levels.depth--;
    return !take || take(self->context) != 0;
}

static bool walk_value(walk_t *self, bool *open)
{
    *open = false;
    self->at = skip_space(self->text, self->size, self->at);
    if (self->at >= self->size)
        return false;
    const char c = self->text[self->at];
    if (c == '"')
        return walk_string(self, self->callbacks->yajl_string);
    if (c == '-' || is_digit(c))
        return walk_number(self);
    if (c != '{' && c != '[')
        return walk_word(self);
    const bool is_object = c == '{';
    if (!walk_open(self, is_object))
        return false;
    self->at = skip_space(self->text, self->size, self->at);
    if (self->at < self->size && self->text[self->at] == (is_object ? '}' : ']'))
        return walk_close(self);
    *open = true;
    return !is_object || walk_key(self);
}

static bool walk_after(walk_t *self, bool *more)
{
    *more = false;
    while (self->levels.depth > 0) {
        self->at = skip_space(self->text, self->size, self->at);
        if (self->at >= self->size)
            return false;
        if (self->text[self->at] == ',') {
            self->at++;
            *more = true;
            return !levels_in_object(&self->levels) || walk_key(self);
        }
        if (!walk_close(self))
            return false;
    }
    return true;
}

bool json_scan_walk(const yajl_callbacks *callbacks, void *context, const char *text, size_t size,
                    size_t *offset)
{
    walk_t self = {.callbacks = callbacks, .context = context, .text = text, .size = size};
    bool more = true;
    bool good = true;
    while (good && more) {
        good = walk_value(&self, &more);
        if (good && !more)
            good = walk_after(&self, &more);
    }
    free(self.decoded);
    *offset = self.at;
    return good;
}
