#include "monitor/view/filter.h"

#include <fnmatch.h>
#include <stdlib.h>

#include "base/memory.h"
#include "response/names.h"

static bool matches(const filter_t *self, const char *name)
{
    for (size_t i = 0; i < self->count; i++)
        if (fnmatch(self->patterns[i], name, FNM_CASEFOLD) == 0 ||
            fnmatch(self->patterns[i], names_without_prefix(name), FNM_CASEFOLD) == 0)
            return true;
    return false;
}

bool filter_takes(const filter_t *self, const char *name)
{
    if (self->count == 0 || matches(self, name))
        return true;
    char *stream = names_stream_of_topic(name);
    bool takes = matches(self, stream);
    if (!takes && names_cut_event_type(stream))
        takes = matches(self, stream);
    free(stream);
    return takes;
}

bool filter_takes_attribute(const filter_t *self, const response_not_connected_t *entry)
{
    if (self->count == 0)
        return true;
    char *name = memory_format("%s/%s", entry->device, entry->attribute);
    const bool takes = filter_takes(self, name);
    free(name);
    return takes;
}
