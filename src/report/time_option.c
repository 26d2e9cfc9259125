#include "report/time_option.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/timespec.h"

enum { MINUTE = 60, HOUR = 3600 };

static bool parse_time_of_day(const char *text, time_option_t *time)
{
    struct tm fields = {0};
    const char *rest = strptime(text, "%H:%M", &fields);
    time->precision = rest && *rest == ':' ? 1 : MINUTE;
    if (time->precision == 1)
        rest = strptime(text, "%H:%M:%S", &fields);
    time->is_of_day = true;
    time->seconds = fields.tm_hour * HOUR + fields.tm_min * MINUTE + fields.tm_sec;
    return rest && *rest == '\0';
}

/* Whether the text looks like the pattern, in which '0' is any digit, up to a sign of an offset or
 * the end. */
static bool looks_like(const char *text, const char *pattern)
{
    size_t i = 0;
    for (; pattern[i] != '\0'; i++) {
        const bool is_digit = text[i] >= '0' && text[i] <= '9';
        if (pattern[i] == '0' ? !is_digit : text[i] != pattern[i])
            return false;
    }
    return text[i] == '\0' || strchr("Z+-", text[i]);
}

/* Adds what was left out behind the day. The caller frees it. */
static char *complete(const char *text)
{
    static const struct {
        const char *pattern;
        const char *missing;
    } forms[] = {{"0000-00-00T00:00", ":00"}, {"0000-00-00", "T00:00:00"}};
    char *whole = memory_string(text);
    char *blank = strchr(whole, ' ');
    if (blank)
        *blank = 'T';
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (!looks_like(whole, forms[i].pattern))
            continue;
        const size_t length = strlen(forms[i].pattern);
        char *more =
            memory_format("%.*s%s%s", (int)length, whole, forms[i].missing, whole + length);
        free(whole);
        return more;
    }
    return whole;
}

bool time_option_parse(const char *text, time_option_t *time)
{
    *time = (time_option_t){.is_given = true};
    if (parse_time_of_day(text, time))
        return true;
    time->is_of_day = false;
    char *whole = complete(text);
    const bool good = timespec_parse(whole, &time->time);
    free(whole);
    return good;
}

/* That time of day, so many days after the day of a moment. */
static struct timespec on_day(const time_option_t *self, const struct timespec *moment, int days)
{
    struct tm fields = {0};
    localtime_r(&moment->tv_sec, &fields);
    fields.tm_mday += days;
    fields.tm_hour = self->seconds / HOUR;
    fields.tm_min = self->seconds / MINUTE % MINUTE;
    fields.tm_sec = self->seconds % MINUTE;
    fields.tm_isdst = -1;
    return (struct timespec){.tv_sec = mktime(&fields)};
}

struct timespec time_option_until(const time_option_t *self, const struct timespec *since)
{
    if (!self->is_of_day)
        return self->time;
    const struct timespec same_day = on_day(self, since, 0);
    return timespec_seconds_between(since, &same_day) > 0 ? same_day : on_day(self, since, 1);
}

struct timespec time_option_since(const time_option_t *self, const struct timespec *begin)
{
    struct timespec after = *begin;
    after.tv_sec -= self->precision;
    return time_option_until(self, &after);
}
