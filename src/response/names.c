#include "response/names.h"

#include <string.h>

#include "base/memory.h"

size_t names_prefix_length(const char *name)
{
    static const char scheme[] = "tango://";
    if (strncmp(name, scheme, sizeof scheme - 1) != 0)
        return 0;
    const char *slash = strchr(name + sizeof scheme - 1, '/');
    return slash ? (size_t)(slash - name) + 1 : 0;
}

const char *names_without_prefix(const char *name)
{
    return name + names_prefix_length(name);
}

/*
 * A name ends in ".idl5_change" or ".change"; only the part after the last dot can contain a level,
 * and there can only be digits between "idl" and "_".
 */
char *names_stream_of_topic(const char *topic)
{
    static const char mark[] = "idl";
    char *stream = memory_string(topic);
    char *dot = strrchr(stream, '.');
    if (dot && strncmp(dot + 1, mark, sizeof mark - 1) == 0) {
        const char *level = dot + sizeof mark;
        size_t digits = strspn(level, "0123456789");
        if (digits > 0 && level[digits] == '_') {
            const char *event_type = level + digits + 1;
            memmove(dot + 1, event_type, strlen(event_type) + 1);
        }
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
