#include "response/names.h"

#include <string.h>
#include <strings.h>

#include "base/memory.h"

size_t names_prefix_length(const char *name)
{
    static const char scheme[] = "tango://";
    if (strncmp(name, scheme, sizeof scheme - 1) != 0)
        return 0;
    const char *slash = strchr(name + sizeof scheme - 1, '/');
    return slash ? (size_t)(slash - name) + 1 : 0;
}

bool names_is_client(const char *name)
{
    static const char begin[] = "client:";
    return name && strncmp(name, begin, sizeof begin - 1) == 0;
}

const char *names_without_prefix(const char *name)
{
    return name + names_prefix_length(name);
}

/*
 * A name ends in ".idl5_change" or ".change"; only the part after the last dot can contain a level,
 * and there can only be digits between "idl" and "_". Returns the "idl5_", or NULL, and its length.
 */
static const char *find_level(const char *topic, size_t *length)
{
    static const char mark[] = "idl";
    const char *dot = strrchr(topic, '.');
    if (!dot || strncmp(dot + 1, mark, sizeof mark - 1) != 0)
        return NULL;
    const char *level = dot + sizeof mark;
    const size_t digits = strspn(level, "0123456789");
    if (digits == 0 || level[digits] != '_')
        return NULL;
    *length = sizeof mark - 1 + digits + 1;
    return dot + 1;
}

char *names_stream_of_topic(const char *topic)
{
    char *stream = memory_string(topic);
    size_t length = 0;
    const char *level = find_level(topic, &length);
    if (level) {
        char *event_type = stream + (level - topic);
        memmove(event_type, event_type + length, strlen(event_type + length) + 1);
    }
    return stream;
}

/* A dot before the last slash is the host's. */
bool names_cut_event_type(char *stream)
{
    char *dot = strrchr(stream, '.');
    if (!dot || strchr(dot, '/'))
        return false;
    *dot = '\0';
    return true;
}

/* ---- whatever the spelling ---- */

/* Goes through what is left of a name without all that may be spelled differently. */
typedef struct {
    const char *at;
    const char *level; /* or NULL */
    size_t level_length;
} spelling_t;

static spelling_t spelling_of(const char *name)
{
    spelling_t self = {.at = names_without_prefix(name)};
    self.level = find_level(self.at, &self.level_length);
    return self;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The next character; 0: the end. */
static unsigned char spelling_next(spelling_t *self)
{
    static const char no_database[] = "#dbase=no";
    for (;;)
        if (self->at == self->level)
            self->at += self->level_length;
        else if (*self->at == '#' &&
                 strncasecmp(self->at, no_database, sizeof no_database - 1) == 0)
            self->at += sizeof no_database - 1;
        else
            break;
    return *self->at ? (unsigned char)lower(*self->at++) : 0;
}

bool names_are_same_but_host(const char *a, const char *b)
{
    spelling_t left = spelling_of(a);
    spelling_t right = spelling_of(b);
    for (;;) {
        const unsigned char c = spelling_next(&left);
        if (c != spelling_next(&right))
            return false;
        if (c == 0)
            return true;
    }
}

/* FNV-1a. */
uint64_t names_hash_but_host(const char *name)
{
    spelling_t spelling = spelling_of(name);
    uint64_t hash = UINT64_C(14695981039346656037);
    for (unsigned char c = 0; (c = spelling_next(&spelling)) != 0;)
        hash = (hash ^ c) * UINT64_C(1099511628211);
    return hash == 0 ? 1 : hash;
}

/* The ":port/" of a name's prefix; NULL: it has none. */
static const char *port_of(const char *name, size_t *length)
{
    const char *end = name + names_prefix_length(name);
    const char *start = end;
    while (start > name && *start != ':')
        start--;
    *length = (size_t)(end - start);
    return end > name && start[1] != '/' ? start : NULL;
}

bool names_have_same_port(const char *a, const char *b)
{
    size_t left_length = 0;
    size_t right_length = 0;
    const char *left = port_of(a, &left_length);
    const char *right = port_of(b, &right_length);
    return left && right && left_length == right_length && memcmp(left, right, left_length) == 0;
}
