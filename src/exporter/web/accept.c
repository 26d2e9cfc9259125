#include "exporter/web/accept.h"

#include <string.h>
#include <strings.h>

static const char blanks[] = " \t";

/* Whether a coding's parameters say q=0, also as 0.000. */
static bool is_refused(const char *parameters, size_t size)
{
    const char *end = parameters + size;
    const char *at = memchr(parameters, '=', size);
    if (!at)
        return false;
    at += 1 + strspn(at + 1, blanks);
    if (at >= end || *at != '0')
        return false;
    while (at < end && (*at == '0' || *at == '.'))
        at++;
    return at == end || strchr(blanks, *at);
}

bool accept_gzip(const char *header)
{
    bool takes_any = false;
    for (const char *at = header; at && *at; at += *at == ',') {
        at += strspn(at, blanks);
        const size_t size = strcspn(at, ",");
        const size_t name = strcspn(at, ",; \t");
        const bool takes = !is_refused(at + name, size - name);
        if ((name == 4 && strncasecmp(at, "gzip", name) == 0) ||
            (name == 6 && strncasecmp(at, "x-gzip", name) == 0))
            return takes;
        if (name == 1 && *at == '*')
            takes_any = takes;
        at += size;
    }
    return takes_any;
}

bool accept_has_tag(const char *header, const char *tag)
{
    return header && (strcmp(header, "*") == 0 || strstr(header, tag));
}
