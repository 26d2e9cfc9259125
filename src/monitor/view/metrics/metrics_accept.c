#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "monitor/view/metrics/metrics_page.h"

/*
 * An Accept header is a list of ranges with parameters, as in
 *
 *     application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3
 *
 * Of those that mean a format, the most specific one says how much it is wanted: its q, 1 if none
 * is given (RFC 9110, 12.5.1).
 */

/* A part of the header. */
typedef struct {
    const char *text;
    size_t size;
} word_t;

static word_t trimmed(word_t self)
{
    while (self.size > 0 && (*self.text == ' ' || *self.text == '\t')) {
        self.text++;
        self.size--;
    }
    while (self.size > 0 && (self.text[self.size - 1] == ' ' || self.text[self.size - 1] == '\t'))
        self.size--;
    return self;
}

/* Cuts off the first word of a list, up to a separator; false if there is none. */
static bool next_word(word_t *list, char separator, word_t *word)
{
    if (!list->text)
        return false;
    const char *end = memchr(list->text, separator, list->size);
    const size_t size = end ? (size_t)(end - list->text) : list->size;
    *word = trimmed((word_t){.text = list->text, .size = size});
    *list = end ? (word_t){.text = end + 1, .size = list->size - size - 1} : (word_t){0};
    return true;
}

static bool is_word(word_t self, const char *word)
{
    return self.size == strlen(word) && strncasecmp(self.text, word, self.size) == 0;
}

static bool begins_with(word_t self, const char *word)
{
    return self.size >= strlen(word) && strncasecmp(self.text, word, strlen(word)) == 0;
}

/* 0 to 1000: thousandths, as many as a q may have. */
static int quality_of(word_t value)
{
    int quality = 0;
    int unit = 1000;
    for (size_t i = 0; i < value.size && unit > 0; i++) {
        if (value.text[i] == '.')
            continue;
        if (value.text[i] < '0' || value.text[i] > '9')
            return 0;
        quality += (value.text[i] - '0') * unit;
        unit /= 10;
    }
    return quality < 1000 ? quality : 1000;
}

/* How a range matches a format: 0: not at all; then the more, the more specific it is. */
static int match_of(word_t range, metrics_format_t format)
{
    static const char *const types[] = {
        [METRICS_TEXT] = "text/plain", [METRICS_OPENMETRICS] = "application/openmetrics-text"};
    static const char *const families[] = {
        [METRICS_TEXT] = "text/*", [METRICS_OPENMETRICS] = "application/*"};
    return is_word(range, types[format])      ? 3
           : is_word(range, families[format]) ? 2
           : is_word(range, "*/*")            ? 1
                                              : 0;
}

/* A range that asks for another version than ours means something else. */
static bool is_other_version(word_t parameter, metrics_format_t format)
{
    static const char name[] = "version=";
    if (!begins_with(parameter, name))
        return false;
    word_t version = {.text = parameter.text + sizeof name - 1,
                      .size = parameter.size - (sizeof name - 1)};
    if (version.size >= 2 && *version.text == '"')
        version = (word_t){.text = version.text + 1, .size = version.size - 2};
    return format == METRICS_TEXT ? !is_word(version, "0.0.4")
                                  : !is_word(version, "1.0.0") && !is_word(version, "0.0.1");
}

typedef struct {
    int match;
    int quality;
} wish_t;

static wish_t wish_of(word_t element, metrics_format_t format)
{
    word_t word = {0};
    wish_t wish = {.match = 0, .quality = 1000};
    if (!next_word(&element, ';', &word))
        return wish;
    wish.match = match_of(word, format);
    while (next_word(&element, ';', &word))
        if (begins_with(word, "q="))
            wish.quality = quality_of((word_t){.text = word.text + 2, .size = word.size - 2});
        else if (is_other_version(word, format))
            wish.match = 0;
    return wish;
}

/* How much a format is wanted; -1: it isn't mentioned. */
static int wanted(const char *accept, metrics_format_t format)
{
    word_t list = {.text = accept, .size = strlen(accept)};
    word_t element = {0};
    wish_t best = {.match = 0, .quality = -1};
    while (next_word(&list, ',', &element)) {
        const wish_t wish = wish_of(element, format);
        if (wish.match > best.match ||
            (wish.match > 0 && wish.match == best.match && wish.quality > best.quality))
            best = wish;
    }
    return best.quality;
}

/* Whoever doesn't ask for OpenMetrics by its name, as browsers don't, gets what they can show. */
static bool is_named(const char *accept, metrics_format_t format)
{
    word_t list = {.text = accept, .size = strlen(accept)};
    word_t element = {0};
    while (next_word(&list, ',', &element))
        if (wish_of(element, format).match == 3)
            return true;
    return false;
}

metrics_format_t metrics_accepted(const char *accept)
{
    if (!accept || !is_named(accept, METRICS_OPENMETRICS))
        return METRICS_TEXT;
    const int openmetrics = wanted(accept, METRICS_OPENMETRICS);
    const int text = wanted(accept, METRICS_TEXT);
    return openmetrics > 0 && openmetrics >= text ? METRICS_OPENMETRICS : METRICS_TEXT;
}
