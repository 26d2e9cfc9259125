#include "base/shorten.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Where a character begins, at that place of a text or before it. */
static size_t beginning_of_character(const char *text, size_t at)
{
    for (int i = 0; i < 3 && at > 0 && (text[at] & 0xc0) == 0x80; i++)
        at--;
    return at;
}

char *shorten(char *text, size_t maximum)
{
    char *shorter = text && strlen(text) > maximum ? shorten_copy(text, maximum) : text;
    if (shorter != text)
        free(text);
    return shorter;
}

char *shorten_copy(const char *text, size_t maximum)
{
    static const char mark[] = " ... ";
    const size_t length = text ? strlen(text) : 0;
    if (length <= maximum)
        return memory_string(text);
    const size_t kept = maximum - sizeof mark;
    const size_t begin = beginning_of_character(text, kept - kept / 3);
    const size_t end = beginning_of_character(text, length - kept / 3);
    return memory_format("%.*s%s%s", (int)begin, text, mark, text + end);
}
