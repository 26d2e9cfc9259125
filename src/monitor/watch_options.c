#include "monitor/watch_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "monitor/thresholds.h"

#define TIMEOUT_MAX 3600.0

watch_options_t watch_options_of(int argc)
{
    watch_options_t self = {.poll_period = 10.0, .timeout = 3.0};
    self.lists = memory_new(2 * (size_t)argc, sizeof *self.lists);
    self.selection.excluded = self.lists;
    self.filter.patterns = self.lists + argc;
    return self;
}

void watch_options_clear(watch_options_t *self)
{
    free(self->lists);
    rule_settings_clear(&self->rules);
    *self = (watch_options_t){0};
}

/*
 * A number as people write it: strtod alone would also accept "nan", "inf", "0x1p3", " 1" and "-1".
 * Reads with the C locale's decimal point, as long as nobody sets LC_NUMERIC.
 */
bool option_seconds(const char *text, double min, double max, double *seconds)
{
    if (text[strspn(text, "0123456789.eE+-")] != '\0' || text[0] == '+' || text[0] == '-')
        return false;
    char *end = NULL;
    errno = 0;
    const double value = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || !(value >= min && value <= max))
        return false;
    *seconds = value;
    return true;
}

char *option_seconds_error(const char *name, const char *text, double max)
{
    return memory_format("--%s %s: not a number of seconds from %g to %.0f", name, text,
                         OPTION_SECONDS_MIN, max);
}

bool option_count(const char *text, int64_t *count)
{
    if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0')
        return false;
    errno = 0;
    const long long value = strtoll(text, NULL, 10);
    if (errno != 0 || value < 1)
        return false;
    *count = value;
    return true;
}

char *option_error(int letter, const char *argument)
{
    /* For a short option, optopt is its letter; a long one is in argv. */
    if (letter == ':')
        return memory_format("%s: needs a value", argument);
    if (optopt > 0 && strncmp(argument, "--", 2) != 0)
        return memory_format("-%c: no such option", optopt);
    if (optopt > 0)
        return memory_format("%s: takes no value", argument);
    return memory_format("%s: no such option, or ambiguous", argument);
}

static char *take_seconds(double *seconds, const char *name, const char *value, double max)
{
    if (option_seconds(value, OPTION_SECONDS_MIN, max, seconds))
        return NULL;
    return option_seconds_error(name, value, max);
}

/* Adds to a list of patterns, which belongs to self->lists. */
static void add_pattern(watch_options_t *self, char *const *list, size_t *count, char *pattern)
{
    self->lists[(size_t)(list - self->lists) + (*count)++] = pattern;
}

static char *take_threshold(watch_options_t *self, const char *value, bool is_file)
{
    char *why = NULL;
    if (is_file ? thresholds_read(&self->rules, value, &why)
                : rule_settings_set(&self->rules, value, &why))
        return NULL;
    char *error = memory_format("--threshold%s: %s", is_file ? "s" : "", why);
    free(why);
    return error;
}

bool watch_options_take(watch_options_t *self, int letter, char *value, char **error)
{
    *error = NULL;
    switch (letter) {
    case LONG_POLL_PERIOD:
        *error = take_seconds(&self->poll_period, "poll-period", value, OPTION_SECONDS_MAX);
        return true;
    case LONG_TIMEOUT:
        *error = take_seconds(&self->timeout, "timeout", value, TIMEOUT_MAX);
        return true;
    case 'm':
        self->perf = self->rules.switches_perf = true;
        return true;
    case LONG_ALL:
        self->selection.all = true;
        return true;
    case LONG_LOCAL:
        self->selection.local = true;
        return true;
    case LONG_EXCLUDE:
        add_pattern(self, self->selection.excluded, &self->selection.excluded_count, value);
        return true;
    case LONG_SKIP:
        self->selection.skip_unsupported = true;
        return true;
    case LONG_FOLLOW:
        self->follow = true;
        return true;
    case LONG_LIST:
        self->list = true;
        return true;
    case LONG_NO_CHECKS:
        self->no_checks = true;
        return true;
    case LONG_ONLY:
        add_pattern(self, self->filter.patterns, &self->filter.count, value);
        return true;
    case LONG_THRESHOLD:
    case LONG_THRESHOLDS:
        *error = take_threshold(self, value, letter == LONG_THRESHOLDS);
        return true;
    case LONG_SHARD:
        if (!shard_parse(value, &self->selection.shard))
            *error = memory_format("--shard %s: must be N/M, the Nth of M parts: 2/5", value);
        return true;
    default:
        return false;
    }
}

void watch_options_take_names(watch_options_t *self, char **names, size_t count)
{
    self->selection.names = names;
    self->selection.name_count = count;
}

char *watch_options_check_names(const watch_options_t *self)
{
    const selection_options_t *selection = &self->selection;
    if (selection->name_count == 0 && !selection->all && !selection->local)
        return memory_string("no device given");
    if (self->follow && selection->shard.count > 0)
        return memory_string(
            "--follow: leads out of a shard: with --shard, name the servers, or use "
            "patterns");
    for (size_t i = 0; i < selection->name_count; i++)
        if (selection->names[i][0] == '\0')
            return memory_string("a device name is empty");
    return NULL;
}
