#include "base/printable.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

typedef struct {
    uint32_t first;
    uint32_t last;
} range_t;

/* Not shown: control characters, and characters that can make a text look like another. */
static const range_t unprintable[] = {
    {0x0000, 0x001f}, {0x007f, 0x009f}, {0x00ad, 0x00ad},   {0x061c, 0x061c},    {0x200b, 0x200f},
    {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff},   {0xfff0, 0xfffb},    {0xfffe, 0xffff},
    {0xd800, 0xdfff}, {0xe000, 0xf8ff}, {0xe0000, 0xe0fff}, {0xf0000, 0x10ffff},
};

/* Combining marks that text in the world's names really has; they share the cell before them. */
static const range_t narrow[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x064b, 0x065f}, {0x1ab0, 0x1aff},
    {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
};

/* Two cells each: East Asian wide and full-width characters, and pictographs. */
static const range_t wide[] = {
    {0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0x3098},   {0x309b, 0x33ff},   {0x3400, 0x4dbf},
    {0x4e00, 0x9fff}, {0xa000, 0xa4cf}, {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
    {0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1f64f}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
};

static bool in_ranges(uint32_t character, const range_t *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (character >= ranges[i].first && character <= ranges[i].last)
            return true;
    return false;
}

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

size_t printable_decode(const char *bytes, uint32_t *character)
{
    const unsigned char *text = (const unsigned char *)bytes;
    if (text[0] < 0x80) {
        *character = text[0];
        return 1;
    }
    size_t size;
    uint32_t smallest;
    uint32_t value;
    if ((text[0] & 0xe0) == 0xc0) {
        size = 2;
        smallest = 0x80;
        value = text[0] & 0x1fU;
    } else if ((text[0] & 0xf0) == 0xe0) {
        size = 3;
        smallest = 0x800;
        value = text[0] & 0x0fU;
    } else if ((text[0] & 0xf8) == 0xf0) {
        size = 4;
        smallest = 0x10000;
        value = text[0] & 0x07U;
    } else {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (text[i] & 0x3fU);
    }
    if (value < smallest || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *character = value;
    return size;
}

size_t printable_encode(uint32_t character, char *text)
{
    if (character < 0x80) {
        text[0] = (char)character;
        return 1;
    }
    const size_t size = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    static const unsigned first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = size - 1; i > 0; i--) {
        text[i] = (char)(0x80 | (character & 0x3f));
        character >>= 6;
    }
    text[0] = (char)(first[size] | character);
    return size;
}

bool printable_shows(uint32_t character)
{
    return !in_ranges(character, unprintable, COUNT_OF(unprintable));
}

size_t printable_cells(uint32_t character)
{
    if (character < 0x80)
        return 1;
    if (in_ranges(character, wide, COUNT_OF(wide)))
        return 2;
    return in_ranges(character, narrow, COUNT_OF(narrow)) ? 0 : 1;
}

char *printable_copy(const char *text, bool utf8)
{
    char *copy = memory_new(strlen(text) + 1, 1);
    size_t used = 0;
    const char *at = text;
    while (*at) {
        uint32_t character = 0;
        size_t size = printable_decode(at, &character);
        if (size == 0 || !printable_shows(character) || (size > 1 && !utf8)) {
            copy[used++] = '?';
            at += size ? size : 1;
            continue;
        }
        memcpy(copy + used, at, size);
        used += size;
        at += size;
    }
    copy[used] = '\0';
    return copy;
}

size_t printable_width(const char *text)
{
    size_t width = 0;
    const char *at = text;
    while (*at) {
        uint32_t character = 0;
        size_t size = printable_decode(at, &character);
        width += size ? printable_cells(character) : 1;
        at += size ? size : 1;
    }
    return width;
}

bool printable_locale_is_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

const char *printable_plus_minus(void)
{
    return printable_locale_is_utf8() ? "\u00b1" : "+/-";
}

/* How many bytes of text's beginning take at most so many cells. */
static size_t bytes_of_width(const char *text, size_t width)
{
    size_t bytes = 0;
    size_t used = 0;
    while (text[bytes]) {
        uint32_t character = 0;
        const size_t size = printable_decode(text + bytes, &character);
        const size_t step = size ? size : 1;
        char one[8] = "";
        memcpy(one, text + bytes, step);
        used += printable_width(one);
        if (used > width)
            break;
        bytes += step;
    }
    return bytes;
}

char *printable_shorten(const char *text, size_t width, bool utf8)
{
    const size_t all = printable_width(text);
    if (all <= width)
        return memory_string(text);
    const size_t mark_width = utf8 ? 1 : 3;
    if (width <= mark_width)
        return memory_string(utf8 ? "\u2026" : width < 2 ? "." : width < 3 ? ".." : "...");
    const size_t kept = width - mark_width;
    char *beginning = memory_copy(text, bytes_of_width(text, kept - kept / 3));
    /* If the next character is too wide to fit, its cell goes to the end. */
    const size_t end = kept - printable_width(beginning);
    size_t skip = bytes_of_width(text, all - end);
    if (printable_width(text + skip) > end)
        skip = bytes_of_width(text, all - end + 1);
    char *shorter = memory_format("%s%s%s", beginning, utf8 ? "\u2026" : "...", text + skip);
    free(beginning);
    return shorter;
}
