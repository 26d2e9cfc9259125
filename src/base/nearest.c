#include "base/nearest.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { MAXIMUM_SHOWN = 3, MAXIMUM_LENGTH = 40 };

static size_t smallest(size_t a, size_t b, size_t c)
{
    const size_t two = a < b ? a : b;
    return two < c ? two : c;
}

/* How many characters have to be added, left out or replaced to turn one word into the other. */
static size_t distance(const char *from, const char *to)
{
    size_t row[MAXIMUM_LENGTH + 1];
    const size_t length = strlen(to);
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; from[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            const size_t replaced = diagonal + (from[i - 1] != to[j - 1]);
            diagonal = row[j];
            row[j] = smallest(row[j] + 1, row[j - 1] + 1, replaced);
        }
    }
    return row[length];
}

/* Words that contain the other one are as near as can be. */
static size_t distance_of(const char *misspelt, const char *word)
{
    return strlen(misspelt) > 2 && (strstr(word, misspelt) || strstr(misspelt, word))
               ? 1
               : distance(misspelt, word);
}

char *nearest_words(const char *misspelt, const char *const *words, size_t count)
{
    const char *found[MAXIMUM_SHOWN];
    size_t found_count = 0;
    const size_t length = strlen(misspelt);
    if (length == 0 || length > MAXIMUM_LENGTH)
        return NULL;
    const size_t farthest = length < 4 ? 1 : length / 3 + 1;
    for (size_t near = 0; near <= farthest; near++)
        for (size_t i = 0; i < count && found_count < MAXIMUM_SHOWN; i++)
            if (strlen(words[i]) <= MAXIMUM_LENGTH && distance_of(misspelt, words[i]) == near)
                found[found_count++] = words[i];
    if (found_count == 0)
        return NULL;
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    for (size_t i = 0; i < found_count; i++) {
        const bool last = i + 1 == found_count;
        fprintf(out, "%s%s", i == 0 ? "" : last ? " or " : ", ", found[i]);
    }
    memory_stream_close(out);
    return text;
}
