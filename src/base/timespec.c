#include "base/timespec.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Reads the digits after a decimal point, in nanoseconds. */
static long parse_fraction(const char **text)
{
    long nanos = 0;
    long unit = 100000000;
    for (; **text >= '0' && **text <= '9'; (*text)++, unit /= 10)
        nanos += (**text - '0') * unit;
    return nanos;
}

/* "Z" or "+01:00"; false if it is none. */
static bool parse_offset(const char *text, long *seconds)
{
    *seconds = 0;
    if (strcmp(text, "Z") == 0)
        return true;
    struct tm fields = {0};
    const char *rest =
        text[0] == '+' || text[0] == '-' ? strptime(text + 1, "%H:%M", &fields) : "x";
    *seconds = (fields.tm_hour * 60L + fields.tm_min) * 60 * (text[0] == '-' ? -1 : 1);
    return rest && *rest == '\0';
}

/* Years that have four digits in every time zone: from 1001 to 9998. */
#define TIME_MIN INT64_C(-30578688000)
#define TIME_END INT64_C(253370764800)

/* strptime() takes the 30th of February. */
static bool has_day(const struct tm *fields)
{
    struct tm day = {
        .tm_year = fields->tm_year, .tm_mon = fields->tm_mon, .tm_mday = fields->tm_mday};
    timegm(&day);
    return day.tm_mday == fields->tm_mday;
}

bool timespec_parse(const char *text, struct timespec *time)
{
    struct tm fields = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &fields);
    *time = (struct timespec){0};
    bool good = rest != NULL && has_day(&fields);
    if (good && *rest == '.') {
        rest++;
        time->tv_nsec = parse_fraction(&rest);
    }
    if (good && *rest == '\0') {
        fields.tm_isdst = -1;
        time->tv_sec = mktime(&fields);
    } else if (good) {
        long offset = 0;
        good = parse_offset(rest, &offset);
        time->tv_sec = timegm(&fields) - offset;
    }
    return good && time->tv_sec >= TIME_MIN && time->tv_sec < TIME_END;
}

double timespec_seconds_between(const struct timespec *from, const struct timespec *to)
{
    return (double)(to->tv_sec - from->tv_sec) + (double)(to->tv_nsec - from->tv_nsec) / 1e9;
}

struct timespec timespec_later(const struct timespec *time, double seconds)
{
    struct timespec result = *time;
    if (!(fabs(seconds) < 1e9))
        return result;
    const double whole = floor(seconds);
    result.tv_sec += (time_t)whole;
    result.tv_nsec += (long)((seconds - whole) * 1e9);
    if (result.tv_nsec >= 1000000000) {
        result.tv_nsec -= 1000000000;
        result.tv_sec++;
    }
    return result;
}
