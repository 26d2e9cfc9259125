#include "base/xml_text.h"

#include <stdbool.h>
#include <string.h>

#include "base/printable.h"

/* XML 1.0, production 2: Char. */
static bool is_allowed(uint32_t character)
{
    return character == '\t' || character == '\n' || character == '\r' ||
           (character >= 0x20 && character <= 0xd7ff) ||
           (character >= 0xe000 && character <= 0xfffd) || character >= 0x10000;
}

/* What stands for a character; NULL: itself. White space in values would be normalized. */
static const char *entity_of(uint32_t character, bool in_value)
{
    switch (character) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\t':
        return in_value ? "&#9;" : NULL;
    case '\n':
        return in_value ? "&#10;" : NULL;
    case '\r':
        return "&#13;";
    default:
        return NULL;
    }
}

static void write_text(FILE *out, const char *text, bool in_value)
{
    for (const char *at = text; *at;) {
        uint32_t character = 0;
        const size_t size = printable_decode(at, &character);
        const char *entity =
            size == 0 || !is_allowed(character) ? "\xef\xbf\xbd" : entity_of(character, in_value);
        if (entity)
            fputs(entity, out);
        else
            fwrite(at, 1, size, out);
        at += size > 0 ? size : 1;
    }
}

void xml_text_write(FILE *out, const char *text)
{
    write_text(out, text, false);
}

void xml_text_write_value(FILE *out, const char *text)
{
    write_text(out, text, true);
}
