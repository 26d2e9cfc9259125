#include "exposition.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/printable.h"
#include "base/vector.h"

typedef struct {
    metrics_format_t format;
    vector_t families; /* char *: names, in order */
    vector_t series;   /* char *: name and labels */
    char type[32];     /* of the last family */
    bool has_type;
    bool has_help;
    double bucket; /* the last one's count; -1: none */
    bool has_ended;
} page_t;

static const char *last_family(const page_t *self)
{
    return self->families.count > 0 ? ((char **)self->families.items)[self->families.count - 1]
                                    : NULL;
}

static bool is_name(const char *text, size_t size)
{
    if (size == 0 || isdigit((unsigned char)*text))
        return false;
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '_')
            return false;
    return true;
}

static bool has(const vector_t *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(((char **)list->items)[i], text) == 0)
            return true;
    return false;
}

/* ---- heads ---- */

static const char *take_type(page_t *self, const char *type)
{
    static const char *const types[] = {"counter", "gauge", "histogram", "info"};
    for (size_t i = 0; i < 4; i++)
        if (strcmp(types[i], type) == 0 && (i < 3 || self->format == METRICS_OPENMETRICS)) {
            snprintf(self->type, sizeof self->type, "%s", type);
            return self->has_type ? "a type twice" : NULL;
        }
    return "a type that doesn't exist";
}

static const char *take_head(page_t *self, const char *line)
{
    const char *const words[] = {"# HELP ", "# TYPE ", "# UNIT "};
    size_t which = 0;
    while (which < 3 && strncmp(line, words[which], 7) != 0)
        which++;
    if (which == 3)
        return "a comment that means nothing";
    const char *name = line + 7;
    const char *end = strchr(name, ' ');
    if (!end || !is_name(name, (size_t)(end - name)))
        return "a head without a name";
    char *copy = memory_copy(name, (size_t)(end - name));
    const bool is_new = !last_family(self) || strcmp(copy, last_family(self)) != 0;
    if (is_new && has(&self->families, copy)) {
        free(copy);
        return "a family twice, or in two places";
    }
    if (is_new) {
        *(char **)vector_add(&self->families) = copy;
        self->has_type = self->has_help = false;
        self->bucket = -1;
    } else {
        free(copy);
    }
    const char *fault = which == 1 ? take_type(self, end + 1) : NULL;
    self->has_type |= which == 1;
    self->has_help |= which == 0;
    if (which == 2 && self->format == METRICS_TEXT)
        return "a unit in a format without units";
    return fault;
}

/* ---- series ---- */

/* The end of a label's value, behind its quote; NULL if it is malformed. */
static const char *end_of_value(const char *at)
{
    while (*at && *at != '"') {
        uint32_t character = 0;
        size_t size = printable_decode(at, &character);
        if (size == 0 || character < ' ')
            return NULL;
        if (*at == '\\') {
            if (at[1] != '\\' && at[1] != '"' && at[1] != 'n')
                return NULL;
            size = 2;
        }
        at += size;
    }
    return *at ? at + 1 : NULL;
}

/* The end of labels, behind the brace; NULL if they are malformed. */
static const char *end_of_labels(const char *at)
{
    vector_t names = {.item_size = sizeof(char *)};
    const char *end = NULL;
    while (!end) {
        const char *equals = strchr(at, '=');
        char *name = equals ? memory_copy(at, (size_t)(equals - at)) : NULL;
        const bool is_good =
            name && is_name(name, strlen(name)) && !has(&names, name) && equals[1] == '"';
        if (name)
            *(char **)vector_add(&names) = name;
        at = is_good ? end_of_value(equals + 2) : NULL;
        if (!at || (*at != ',' && *at != '}'))
            break;
        if (*at++ == '}')
            end = at;
    }
    for (size_t i = 0; i < names.count; i++)
        free(((char **)names.items)[i]);
    free(names.items);
    return end;
}

static const char *take_bucket(page_t *self, const char *name, size_t size, double value)
{
    const bool is_bucket = size > 7 && memcmp(name + size - 7, "_bucket", 7) == 0;
    const bool is_count = size > 6 && memcmp(name + size - 6, "_count", 6) == 0;
    const double last = self->bucket;
    self->bucket = is_bucket ? value : -1;
    if (is_bucket && value < last)
        return "buckets that go down";
    return is_count && value != last ? "a count that isn't the last bucket" : NULL;
}

/* Whether a series' name is one of the family's. */
static bool belongs(const page_t *self, const char *name, size_t size)
{
    static const char *const endings[] = {"", "_total", "_info", "_bucket", "_count", "_sum"};
    const char *family = last_family(self);
    const size_t length = family ? strlen(family) : 0;
    if (!family || size < length || memcmp(name, family, length) != 0)
        return false;
    const bool is_histogram = strcmp(self->type, "histogram") == 0;
    const bool is_short = self->format == METRICS_OPENMETRICS;
    const size_t wanted = is_short && strcmp(self->type, "counter") == 0 ? 1
                          : is_short && strcmp(self->type, "info") == 0  ? 2
                                                                         : 0;
    for (size_t i = 0; i < 6; i++)
        if (strlen(endings[i]) == size - length &&
            memcmp(name + length, endings[i], size - length) == 0)
            return is_histogram ? i >= 3 : i == wanted;
    return false;
}

static const char *take_series(page_t *self, const char *line)
{
    const char *end = line + strcspn(line, "{ ");
    const size_t size = (size_t)(end - line);
    if (!is_name(line, size))
        return "a series without a name";
    if (!self->has_type || !self->has_help || !belongs(self, line, size))
        return "a series outside of its family";
    if (*end == '{')
        end = end_of_labels(end + 1);
    if (!end || *end != ' ')
        return "malformed labels";
    char *after = NULL;
    const double value = strtod(end + 1, &after);
    if (after == end + 1 || *after || value != value || end[1] == 'N' || end[1] == 'n')
        return "a value that is no number";
    if (value < 0 && strcmp(self->type, "gauge") != 0)
        return "a counter below 0";
    *(char **)vector_add(&self->series) = memory_copy(line, (size_t)(end - line));
    return strcmp(self->type, "histogram") == 0 ? take_bucket(self, line, size, value) : NULL;
}

static const char *take_line(page_t *self, const char *line)
{
    if (self->has_ended)
        return "a line behind the end";
    if (strcmp(line, "# EOF") == 0 && self->format == METRICS_OPENMETRICS) {
        self->has_ended = true;
        return NULL;
    }
    return *line == '#' ? take_head(self, line) : take_series(self, line);
}

/* ---- all ---- */

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static const char *find_twice(vector_t *series)
{
    char **list = series->items;
    if (series->count > 1)
        qsort(list, series->count, sizeof *list, compare);
    for (size_t i = 1; i < series->count; i++)
        if (strcmp(list[i - 1], list[i]) == 0)
            return list[i];
    return NULL;
}

static void clear(vector_t *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(((char **)list->items)[i]);
    free(list->items);
}

char *exposition_fault(const char *text, size_t size, metrics_format_t format)
{
    page_t page = {
        .format = format, .families.item_size = sizeof(char *), .series.item_size = sizeof(char *)};
    char *fault = strlen(text) != size ? memory_string("a NUL") : NULL;
    for (const char *at = text; !fault && *at;) {
        const char *feed = strchr(at, '\n');
        char *line = memory_copy(at, feed ? (size_t)(feed - at) : strlen(at));
        const char *what = feed ? take_line(&page, line) : "a line without an end";
        if (what)
            fault = memory_format("%s: %.300s", what, line);
        free(line);
        at = feed ? feed + 1 : at + strlen(at);
    }
    const char *twice = fault ? NULL : find_twice(&page.series);
    if (twice)
        fault = memory_format("a series twice: %s", twice);
    if (!fault && format == METRICS_OPENMETRICS && !page.has_ended)
        fault = memory_string("no end");
    clear(&page.families);
    clear(&page.series);
    return fault;
}

char *exposition_read(metrics_page_t **page, size_t piece, size_t *size)
{
    *size = metrics_page_size(*page);
    char *text = memory_new(*size + piece + 1, 1);
    size_t done = 0;
    size_t count = 0;
    while ((count = metrics_page_read(*page, done, text + done, piece)) > 0 && done <= *size)
        done += count;
    text[done < *size ? done : *size] = '\0';
    metrics_page_destroy(page);
    if (done == *size)
        return text;
    free(text);
    return NULL;
}
