#include "report/report_options.h"

#include <getopt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "monitor/thresholds.h"
#include "monitor/watch_options.h"

enum {
    LONG_HTML = LONG_OWN,
    LONG_CSV,
    LONG_FORMAT,
    LONG_SINCE,
    LONG_UNTIL,
    LONG_TOP,
    LONG_FAIL_ON,
    LONG_NO_COLOR
};

/* Entries of each list in text, unless told otherwise. */
enum { TOP = 10 };

static const char short_options[] = ":qhV";

static const struct option long_options[] = {
    {"html", required_argument, NULL, LONG_HTML},
    {"csv", required_argument, NULL, LONG_CSV},
    {"format", required_argument, NULL, LONG_FORMAT},
    {"only", required_argument, NULL, LONG_ONLY},
    {"since", required_argument, NULL, LONG_SINCE},
    {"until", required_argument, NULL, LONG_UNTIL},
    {"top", required_argument, NULL, LONG_TOP},
    {"threshold", required_argument, NULL, LONG_THRESHOLD},
    {"thresholds", required_argument, NULL, LONG_THRESHOLDS},
    {"fail-on", required_argument, NULL, LONG_FAIL_ON},
    {"no-color", no_argument, NULL, LONG_NO_COLOR},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

/* The line for what is wrong with an option's value; frees why. NULL for NULL. */
static char *wrong_value(const char *option, char *why)
{
    char *error = why ? memory_format("%s: %s", option, why) : NULL;
    free(why);
    return error;
}

static char *take_format(report_program_options_t *options, const char *value)
{
    if (strcmp(value, "text") != 0 && strcmp(value, "json") != 0)
        return memory_format("--format %s: must be text or json", value);
    options->format = strcmp(value, "json") == 0 ? FORMAT_JSON : FORMAT_TEXT;
    return NULL;
}

static char *take_time(const char *option, const char *value, time_option_t *time)
{
    return time_option_parse(value, time)
               ? NULL
               : memory_format("%s %s: must be a time of day (23:30), a day (2026-03-01) or a time "
                               "(2026-03-01T23:30:00+01:00)",
                               option, value);
}

static char *take_threshold(report_program_options_t *options, int letter, const char *value)
{
    char *why = NULL;
    const bool good = letter == LONG_THRESHOLDS ? thresholds_read(&options->rules, value, &why)
                                                : rule_settings_set(&options->rules, value, &why);
    return good ? NULL
                : wrong_value(letter == LONG_THRESHOLDS ? "--thresholds" : "--threshold", why);
}

static char *take_file(const char *option, const char *value, const char **file)
{
    *file = value;
    return *value ? NULL : memory_format("%s: the name is empty", option);
}

/* Handles an option that has a value; returns what is wrong with it, or NULL. */
static char *take_value(report_program_options_t *options, int letter, char *value)
{
    int64_t count = 0;
    char *why = NULL;
    switch (letter) {
    case LONG_HTML:
        return take_file("--html", value, &options->html);
    case LONG_CSV:
        return take_file("--csv", value, &options->csv);
    case LONG_FORMAT:
        return take_format(options, value);
    case LONG_ONLY:
        ((char **)(uintptr_t)options->filter.patterns)[options->filter.count++] = value;
        return NULL;
    case LONG_SINCE:
        return take_time("--since", value, &options->since);
    case LONG_UNTIL:
        return take_time("--until", value, &options->until);
    case LONG_TOP:
        if (!option_count(value, &count))
            return memory_format("--top %s: not a number of entries, 1 or more", value);
        options->top = (size_t)count;
        return NULL;
    case LONG_FAIL_ON:
        return fail_on_add(&options->fail_on, value, &why) ? NULL : wrong_value("--fail-on", why);
    default:
        return take_threshold(options, letter, value);
    }
}

/* What is wrong with the combination of valid options; NULL: nothing. */
static char *check(const report_program_options_t *options)
{
    const time_option_t *since = &options->since;
    const time_option_t *until = &options->until;
    const bool comparable =
        since->is_given && until->is_given && !since->is_of_day && !until->is_of_day;
    if (options->file_count == 0)
        return memory_string("no recording given: name files that ska-tango-event-monitor -o has "
                             "written, or - for standard input");
    if (comparable && (until->time.tv_sec < since->time.tv_sec))
        return memory_string("--until: is before --since");
    if (options->html && strcmp(options->html, "-") == 0 && options->format == FORMAT_JSON)
        return memory_string("--html -: standard output can't take the page and --format json");
    return NULL;
}

report_options_result_t report_options_parse(report_program_options_t *options, int argc,
                                             char **argv, char **error)
{
    *options = (report_program_options_t){.top = TOP};
    options->filter.patterns = memory_new((size_t)argc + 1, sizeof(char *));
    *error = NULL;
    optind = 0; /* so that tests may parse more than one command line */
    int letter = 0;
    while (!*error && (letter = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
        if (letter == 'h')
            return REPORT_OPTIONS_HELP;
        if (letter == 'V')
            return REPORT_OPTIONS_VERSION;
        if (letter == ':' || letter == '?')
            *error = option_error(letter, argv[optind - 1]);
        else if (optarg)
            *error = take_value(options, letter, optarg);
        else if (letter == 'q')
            options->quiet = true;
        else
            options->no_color = true;
    }
    options->files = argv + optind;
    options->file_count = (size_t)(argc - optind);
    if (!*error)
        *error = check(options);
    return *error ? REPORT_OPTIONS_WRONG : REPORT_OPTIONS_RUN;
}

void report_options_clear(report_program_options_t *options)
{
    free((void *)(uintptr_t)options->filter.patterns);
    options->filter = (filter_t){0};
    rule_settings_clear(&options->rules);
    fail_on_clear(&options->fail_on);
}

void report_options_help(FILE *out)
{
    /* clang-format off */
    fputs("Usage: ska-tango-event-report [OPTION]... FILE...\n"
          "Reports what recordings of ska-tango-event-monitor say: findings with their\n"
          "begin and end, totals of each stream, restarts, outages, the worst minutes, and\n"
          "how long events took.\n"
          "\n"
          "FILE may be compressed, one of several that a recorder began in turn, or have\n"
          "only what changed; several are merged by time. - is standard input.\n"
          "\n"
          "      --html FILE            write a page into FILE, which any browser shows,\n"
          "                             also from a mail; - is standard output\n"
          "      --csv DIR              write tables into the directory DIR\n"
          "      --format FORMAT        of standard output: text (default), json\n"
          WATCH_HELP_ONLY
          "      --since TIME           what came before it is left out: a time of day\n"
          "                             (23:30: the first in the recording), a day\n"
          "                             (2026-03-01), or both (2026-03-01T23:30, local time\n"
          "                             unless +01:00 or Z follows)\n"
          "      --until TIME           what came after it is left out\n"
          "      --top N                show N entries of each list in text (default 10)\n"
          WATCH_HELP_THRESHOLDS
          "      --fail-on LIST         exit with status 3 if such a finding is in the\n"
          "                             report: rules, groups, or fault, warning, remark\n"
          "                             (and worse), with commas between\n"
          "      --no-color             no colour on a terminal\n"
          "  -q, --quiet                no text, and no progress bar\n"
          "  -h, --help                 print this help and exit\n"
          "  -V, --version              print the version and exit\n"
          "\n"
          "Exit status: 0 if the report was written; 1 if something couldn't be read or\n"
          "written, or there was nothing to report; 2 for a wrong command line; 3 if\n"
          "--fail-on applies.\n",
          out);
    /* clang-format on */
}
