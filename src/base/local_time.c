#include "base/local_time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void local_time_exact(const struct timespec *time, char text[LOCAL_TIME_EXACT_SIZE])
{
    enum { NS_PER_US = 1000, FIRST_YEAR = 1900, LAST_YEAR = 9999 };
    struct tm fields;
    char rest[LOCAL_TIME_EXACT_SIZE / 2] = "";
    char zone[sizeof "+hhmm"] = "";
    text[0] = '\0';
    if (!localtime_r(&time->tv_sec, &fields) || fields.tm_year < -FIRST_YEAR ||
        fields.tm_year > LAST_YEAR - FIRST_YEAR)
        return;
    if (strftime(rest, sizeof rest, "-%m-%dT%H:%M:%S", &fields) > 0 &&
        strftime(zone, sizeof zone, "%z", &fields) > 0)
        snprintf(text, LOCAL_TIME_EXACT_SIZE, "%04d%s.%06ld%.3s:%s", fields.tm_year + FIRST_YEAR,
                 rest, time->tv_nsec / NS_PER_US, zone, zone + 3);
}

char *local_time_of_day(time_t time, time_t reference)
{
    enum { DAY_END = 10, TIME_SIZE = 8 }; /* of "2026-03-01T12:00:03" */
    char *text = local_time_text(time);
    char *today = local_time_text(reference);
    if (strlen(text) > DAY_END + TIME_SIZE && strncmp(text, today, DAY_END) == 0) {
        memmove(text, text + DAY_END + 1, TIME_SIZE);
        text[TIME_SIZE] = '\0';
    }
    free(today);
    return text;
}
