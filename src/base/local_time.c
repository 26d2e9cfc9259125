#include "base/local_time.h"

#include "base/memory.h"

char *local_time_text(time_t time)
{
    struct tm fields;
    char text[64] = "";
    const size_t size = localtime_r(&time, &fields)
                            ? strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S%z", &fields)
                            : 0;
    if (size < 2)
        return memory_string("?");
    /* strftime's +0100 is +01:00 in the extended format. */
    return memory_format("%.*s:%s", (int)(size - 2), text, text + size - 2);
}
