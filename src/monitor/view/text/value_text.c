#include "monitor/view/text/value_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "response/counters.h"

static const value_text_t unknown = {"-"};

static value_text_t format(const char *format, ...) __attribute__((format(printf, 1, 2)));

static value_text_t format(const char *format, ...)
{
    value_text_t value;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(value.text, sizeof value.text, format, arguments);
    va_end(arguments);
    return value;
}

value_text_t value_text_count(int64_t count)
{
    return count == RESPONSE_UNKNOWN ? unknown : format("%" PRId64, count);
}

value_text_t value_text_step(int64_t step)
{
    return step > 0 ? format("(+%" PRId64 ")", step) : (value_text_t){""};
}

value_text_t value_text_lost(int64_t lost, bool is_minimum, bool is_derived)
{
    return format("%s%" PRId64 "%s", is_minimum ? ">=" : "", lost,
                  is_derived ? VALUE_TEXT_MARK : "");
}

value_text_t value_text_rate(double rate)
{
    if (!isfinite(rate))
        return unknown;
    return rate > 0 && rate < 0.05 ? (value_text_t){"<0.1"} : format("%.1f", rate);
}

value_text_t value_text_micros(double micros)
{
    return isfinite(micros) ? format(micros < 10 ? "%.1f" : "%.0f", micros) : unknown;
}

/* Three digits, as far as they matter, in the largest unit that leaves something before the point.
 */
static value_text_t in_units(double value, const char *const *units, size_t count)
{
    size_t unit = 0;
    for (; unit + 1 < count && fabs(value) >= 999.5; unit++)
        value /= 1000;
    const int decimals = fabs(value) >= 99.95 || value == floor(value) ? 0
                         : fabs(value) >= 9.995                        ? 1
                                                                       : 2;
    return format("%.*f %s", decimals, value, units[unit]);
}

value_text_t value_text_duration(double seconds)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    return isfinite(seconds) ? in_units(seconds * 1e9, units, 4) : unknown;
}

value_text_t value_text_bytes(int64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    return bytes == RESPONSE_UNKNOWN ? unknown : in_units((double)bytes, units, 7);
}
