#include "monitor/view/metrics/metrics_labels.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/name_set.h"
#include "base/printable.h"
#include "response/names.h"

/* "~0123456789abcdef". */
enum { HASH_SIZE = 17, ROOM = METRICS_VALUE_SIZE - HASH_SIZE };

/* A part of a name. */
typedef struct {
    const char *text;
    size_t size;
} part_t;

/* Nothing to do for it but to copy it; nearly all names are so. */
static bool is_plain(part_t value)
{
    if (value.size > ROOM)
        return false;
    for (size_t i = 0; i < value.size; i++)
        if (value.text[i] < ' ' || value.text[i] > '~' || value.text[i] == '"' ||
            value.text[i] == '\\')
            return false;
    return true;
}

static void put(metrics_labels_t *self, const char *text, size_t size)
{
    memcpy(self->text + self->size, text, size);
    self->size += size;
}

/* The next character, as it is written, and its size. */
static size_t escape(const char **at, char escaped[2], const char **written)
{
    uint32_t character = 0;
    size_t size = printable_decode(*at, &character);
    *written = *at;
    if (character == '"' || character == '\\') {
        escaped[0] = '\\';
        escaped[1] = (char)character;
        *written = escaped;
        size = 1;
    }
    *at += size;
    return *written == escaped ? 2 : size;
}

static void put_escaped(metrics_labels_t *self, part_t value)
{
    char *whole = memory_copy(value.text, value.size);
    char *printable = printable_copy(whole, true);
    const size_t limit = self->size + ROOM;
    const char *at = printable;
    bool is_cut = false;
    while (*at && !is_cut) {
        char escaped[2];
        const char *written = NULL;
        const size_t size = escape(&at, escaped, &written);
        is_cut = self->size + size > limit;
        if (!is_cut)
            put(self, written, size);
    }
    if (is_cut || strcmp(printable, whole) != 0) {
        char hash[HASH_SIZE + 1];
        snprintf(hash, sizeof hash, "~%016" PRIx64, name_set_hash(0, whole));
        put(self, hash, HASH_SIZE);
    }
    free(printable);
    free(whole);
}

static void add(metrics_labels_t *self, const char *name, part_t value)
{
    if (value.size == 0)
        return;
    if (self->size > 0)
        put(self, ",", 1);
    put(self, name, strlen(name));
    put(self, "=\"", 2);
    if (is_plain(value))
        put(self, value.text, value.size);
    else
        put_escaped(self, value);
    put(self, "\"", 1);
}

void metrics_labels_add(metrics_labels_t *self, const char *name, const char *value)
{
    if (value)
        add(self, name, (part_t){.text = value, .size = strlen(value)});
}

static void cut_no_database(part_t *name)
{
    static const char mark[] = "#dbase=no";
    const size_t size = sizeof mark - 1;
    if (name->size >= size && memcmp(name->text + name->size - size, mark, size) == 0)
        name->size -= size;
}

void metrics_labels_add_stream(metrics_labels_t *self, const char *name)
{
    char *stream = names_stream_of_topic(name);
    const size_t prefix = names_prefix_length(stream);
    const char *rest = stream + prefix;
    const char *slash = strrchr(rest, '/');
    const char *dot = strrchr(rest, '.');
    if (dot && slash && dot < slash)
        dot = NULL;
    const char *end = rest + strlen(rest);
    const char *name_end = dot ? dot : end;
    /* Changes of its interface are the device's own: no attribute has them. */
    if (dot && strcasecmp(dot, ".intr_change") == 0)
        slash = dot;
    part_t device = {.text = rest, .size = slash ? (size_t)(slash - rest) : 0};
    part_t attribute = {.text = slash ? slash + 1 : rest};
    attribute.size = attribute.text < name_end ? (size_t)(name_end - attribute.text) : 0;
    cut_no_database(&device);
    cut_no_database(&attribute);
    if (prefix > 0) {
        const size_t scheme = sizeof "tango://" - 1;
        add(self, "tango_host", (part_t){.text = stream + scheme, .size = prefix - scheme - 1});
    }
    add(self, "device", device);
    add(self, "attribute", attribute);
    if (dot)
        add(self, "event_type", (part_t){.text = dot + 1, .size = (size_t)(end - dot - 1)});
    free(stream);
}
