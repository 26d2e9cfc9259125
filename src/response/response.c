#include "response/response.h"

#include <string.h>

#include "response/memory.h"

bool response_pushed_count_is_next(const response_t *self)
{
    return self->dialect != RESPONSE_AGENT;
}

/*
 * A name ends in ".idl5_change" or ".change"; only the part behind the last dot can hold a level,
 * and only digits can stand between "idl" and "_".
 */
char *response_stream_of_topic(const char *topic)
{
    static const char mark[] = "idl";
    char *stream = memory_string(topic);
    char *dot = strrchr(stream, '.');
    if (dot && strncmp(dot + 1, mark, sizeof(mark) - 1) == 0) {
        const char *level = dot + sizeof(mark);
        size_t digits = strspn(level, "0123456789");
        if (digits > 0 && level[digits] == '_') {
            const char *event_type = level + digits + 1;
            memmove(dot + 1, event_type, strlen(event_type) + 1);
        }
    }
    return stream;
}
