#include "monitor/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "monitor/explain.h"
#include "monitor/thresholds.h"

/* Bounds that keep calculations with times from overflowing, and the machine from spinning. */
#define SECONDS_MIN     0.01
#define POLL_PERIOD_MAX 1e6
#define TIMEOUT_MAX     3600.0

/* Options without a letter. */
enum {
    LONG_POLL_PERIOD = 256,
    LONG_TIMEOUT,
    LONG_ALL,
    LONG_EXCLUDE,
    LONG_SKIP,
    LONG_FOLLOW,
    LONG_LIST,
    LONG_ROTATE,
    LONG_CHANGES,
    LONG_READ,
    LONG_FORMAT,
    LONG_NO_CHECKS,
    LONG_NO_COLOR,
    LONG_TOP,
    LONG_BY,
    LONG_ONLY,
    LONG_THRESHOLD,
    LONG_THRESHOLDS,
    LONG_EXPLAIN,
    LONG_DIAGNOSE,
    LONG_FAIL_ON,
};

/* The N of --changes without a value. */
#define FULL_EVERY 100

/*
 * How long --diagnose watches: longer than the 9 s of heartbeats and the 10 s of Tango's
 * attempts to connect again, and still bearable for somebody who waits.
 */
#define DIAGNOSE_SECONDS 15.0

/* It polls so many times, so that rules that need several observations have them, */
#define DIAGNOSE_POLLS 10
/* but no server more or less often than that. */
#define DIAGNOSE_PERIOD_MIN 0.2
#define DIAGNOSE_PERIOD_MAX 2.0

static const char short_options[] = ":o:amn:qhV";

static const struct option long_options[] = {
    {"poll-period", required_argument, NULL, LONG_POLL_PERIOD},
    {"output", required_argument, NULL, 'o'},
    {"append", no_argument, NULL, 'a'},
    {"monitor-perf", no_argument, NULL, 'm'},
    {"count", required_argument, NULL, 'n'},
    {"timeout", required_argument, NULL, LONG_TIMEOUT},
    {"quiet", no_argument, NULL, 'q'},
    {"all", no_argument, NULL, LONG_ALL},
    {"exclude", required_argument, NULL, LONG_EXCLUDE},
    {"skip-unsupported", no_argument, NULL, LONG_SKIP},
    {"follow", no_argument, NULL, LONG_FOLLOW},
    {"list", no_argument, NULL, LONG_LIST},
    {"rotate", required_argument, NULL, LONG_ROTATE},
    {"changes", optional_argument, NULL, LONG_CHANGES},
    {"read", required_argument, NULL, LONG_READ},
    {"format", required_argument, NULL, LONG_FORMAT},
    {"no-checks", no_argument, NULL, LONG_NO_CHECKS},
    {"no-color", no_argument, NULL, LONG_NO_COLOR},
    {"top", required_argument, NULL, LONG_TOP},
    {"by", required_argument, NULL, LONG_BY},
    {"only", required_argument, NULL, LONG_ONLY},
    {"threshold", required_argument, NULL, LONG_THRESHOLD},
    {"thresholds", required_argument, NULL, LONG_THRESHOLDS},
    {"diagnose", optional_argument, NULL, LONG_DIAGNOSE},
    {"fail-on", required_argument, NULL, LONG_FAIL_ON},
    {"explain", optional_argument, NULL, LONG_EXPLAIN},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static const char *long_name(int letter)
{
    for (const struct option *option = long_options; option->name; option++)
        if (option->val == letter)
            return option->name;
    return "";
}

/*
 * A number as people write it: strtod alone would also accept "nan", "inf", "0x1p3", " 1" and "-1".
 * Reads with the C locale's decimal point, as long as nobody sets LC_NUMERIC.
 */
static bool parse_seconds(const char *text, double min, double max, double *seconds)
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

static bool parse_count(const char *text, int64_t *count)
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

/* A size or a time; its unit says which. */
static bool parse_rotation(const char *text, recording_options_t *recording)
{
    static const struct {
        const char *unit;
        int64_t factor;
        bool is_size;
    } units[] = {
        {"k", INT64_C(1) << 10, true},
        {"M", INT64_C(1) << 20, true},
        {"G", INT64_C(1) << 30, true},
        {"s", 1, false},
        {"min", 60, false},
        {"h", 3600, false},
        {"d", 86400, false},
    };
    const size_t digits = strspn(text, "0123456789");
    char *number = memory_format("%.*s", (int)digits, text);
    int64_t count = 0;
    const bool is_number = parse_count(number, &count);
    free(number);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(text + digits, units[i].unit) != 0)
            continue;
        int64_t *result = units[i].is_size ? &recording->rotate_bytes : &recording->rotate_seconds;
        return is_number && !__builtin_mul_overflow(count, units[i].factor, result);
    }
    return false;
}

/* The index of a word in a list that ends with NULL; -1 if it isn't there. */
static int place_of(const char *word, const char *const *words)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return -1;
}

static char *seconds_error(int letter, const char *text, double max)
{
    return memory_format("--%s %s: not a number of seconds from %g to %.0f", long_name(letter),
                         text, SECONDS_MIN, max);
}

static char *take_threshold(options_t *options, const char *assignment)
{
    char *why = NULL;
    if (rule_settings_set(&options->rules, assignment, &why))
        return NULL;
    char *error = memory_format("--threshold: %s", why);
    free(why);
    return error;
}

static char *take_thresholds(options_t *options, const char *path)
{
    char *why = NULL;
    if (thresholds_read(&options->rules, path, &why))
        return NULL;
    char *error = memory_format("--thresholds: %s", why);
    free(why);
    return error;
}

static char *take_fail_on(options_t *options, const char *list)
{
    char *why = NULL;
    if (fail_on_add(&options->fail_on, list, &why))
        return NULL;
    char *error = memory_format("--fail-on: %s", why);
    free(why);
    return error;
}

/* Handles an option that has a value; returns what is wrong with it, or NULL. */
static char *take_value(options_t *options, int letter, char *value)
{
    static const char *const formats[] = {"text", "json", "jsonl", "junit", NULL};
    static const char *const keys[] = {"loss", "rate", "latency", "processing", NULL};
    summary_options_t *summary = &options->view.summary;
    int64_t count = 0;
    int place = 0;
    switch (letter) {
    case LONG_POLL_PERIOD:
        if (!parse_seconds(value, SECONDS_MIN, POLL_PERIOD_MAX, &options->poll_period))
            return seconds_error(letter, value, POLL_PERIOD_MAX);
        break;
    case LONG_TIMEOUT:
        if (!parse_seconds(value, SECONDS_MIN, TIMEOUT_MAX, &options->timeout))
            return seconds_error(letter, value, TIMEOUT_MAX);
        break;
    case 'n':
        if (!parse_count(value, &options->count))
            return memory_format("--count %s: not a number of polls, 1 or more", value);
        break;
    case 'o':
        if (value[0] == '\0')
            return memory_string("--output: the file name is empty");
        options->recording.path = value;
        break;
    case LONG_ROTATE:
        if (!parse_rotation(value, &options->recording))
            return memory_format(
                "--rotate %s: neither a size (100M; k, M, G) nor a time (12h; s, min, h, d)",
                value);
        break;
    case LONG_CHANGES:
        if (!parse_count(value, &options->recording.full_every))
            return memory_format("--changes=%s: not a number of polls, 1 or more", value);
        break;
    case LONG_READ:
        options->read = value;
        break;
    case LONG_FORMAT:
        place = place_of(value, formats);
        if (place < 0)
            return memory_format("--format %s: must be text, json, jsonl or junit", value);
        options->view.format = (format_t)place;
        break;
    case LONG_TOP:
        if (!parse_count(value, &count))
            return memory_format("--top %s: not a number of streams, 1 or more", value);
        summary->top = (size_t)count;
        break;
    case LONG_BY:
        place = place_of(value, keys);
        if (place < 0)
            return memory_format("--by %s: must be loss, rate, latency or processing", value);
        summary->top_key = (top_key_t)place;
        break;
    case LONG_ONLY:
        options->only[summary->filter.count++] = value;
        break;
    case LONG_THRESHOLD:
        return take_threshold(options, value);
    case LONG_DIAGNOSE:
        if (!parse_seconds(value, SECONDS_MIN, POLL_PERIOD_MAX, &options->duration))
            return seconds_error(letter, value, POLL_PERIOD_MAX);
        options->diagnose = true;
        break;
    case LONG_FAIL_ON:
        return take_fail_on(options, value);
    case LONG_EXPLAIN:
        options->explain = true;
        options->explained[options->explained_count++] = value;
        break;
    case LONG_THRESHOLDS:
        return take_thresholds(options, value);
    default:
        options->excluded[options->selection.excluded_count++] = value; /* LONG_EXCLUDE */
        break;
    }
    return NULL;
}

/* Handles an option that has none. */
static void take_flag(options_t *options, int letter)
{
    switch (letter) {
    case 'a':
        options->recording.append = true;
        break;
    case 'm':
        options->perf = options->view.summary.perf = options->rules.switches_perf = true;
        break;
    case 'q':
        options->quiet = true;
        break;
    case LONG_ALL:
        options->selection.all = true;
        break;
    case LONG_SKIP:
        options->selection.skip_unsupported = true;
        break;
    case LONG_FOLLOW:
        options->follow = true;
        break;
    case LONG_LIST:
        options->list = true;
        break;
    case LONG_DIAGNOSE:
        options->diagnose = true;
        break;
    case LONG_EXPLAIN:
        options->explain = true;
        break;
    case LONG_NO_CHECKS:
        options->no_checks = true;
        break;
    case LONG_CHANGES:
        options->recording.full_every = FULL_EVERY;
        break;
    default:
        options->view.no_color = true; /* LONG_NO_COLOR */
        break;
    }
}

/* "--changes 50": that number would be taken for a device. */
static char *separated_number(int letter, const char *next)
{
    double number = 0;
    if (!next || !parse_seconds(next, 0, POLL_PERIOD_MAX, &number))
        return NULL;
    const char *name = long_name(letter);
    return memory_format("--%s %s: the number follows an equals sign: --%s=%s", name, next, name,
                         next);
}

/* What is wrong with an option that getopt_long() rejects. */
static char *option_error(int letter, const char *argument)
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

/* Takes what follows --explain as names of rules; returns what is wrong with one, or NULL. */
static char *check_explained(options_t *options)
{
    const selection_options_t *selection = &options->selection;
    for (size_t i = 0; i < selection->name_count; i++)
        options->explained[options->explained_count++] = selection->names[i];
    char *why = NULL;
    for (size_t i = 0; i < options->explained_count && !why; i++)
        why = explain_error(options->explained[i]);
    char *error = why ? memory_format("--explain: %s", why) : NULL;
    free(why);
    return error;
}

/* What --diagnose doesn't go with; NULL: nothing. */
static char *check_diagnose(const options_t *options)
{
    const bool has_junit = options->view.format == FORMAT_JUNIT;
    const char *needs = options->fail_on.is_given ? "--fail-on"
                        : has_junit               ? "--format junit"
                                                  : NULL;
    if (!options->diagnose)
        return needs ? memory_format("%s: needs --diagnose", needs) : NULL;
    if (options->read && options->duration > 0)
        return memory_format("--diagnose=%g: a recording is read as a whole: --diagnose --read %s",
                             options->duration, options->read);
    const char *without = options->list ? "--list" : options->view.summary.top > 0 ? "--top" : NULL;
    return without ? memory_format("--diagnose: prints a verdict, so %s can't be given", without)
                   : NULL;
}

/* What --diagnose leaves to be decided. */
static void settle_diagnose(options_t *options, bool has_period)
{
    if (!options->diagnose || options->read)
        return;
    if (options->duration == 0 && options->count == 0)
        options->duration = DIAGNOSE_SECONDS;
    options->perf = true;
    if (has_period)
        return;
    const double seconds = options->duration > 0 ? options->duration : DIAGNOSE_SECONDS;
    const double period = seconds / DIAGNOSE_POLLS;
    options->poll_period = period < DIAGNOSE_PERIOD_MIN   ? DIAGNOSE_PERIOD_MIN
                           : period > DIAGNOSE_PERIOD_MAX ? DIAGNOSE_PERIOD_MAX
                                                          : period;
}

/* What is wrong with the combination of valid options; NULL: nothing. */
static char *check(const options_t *options)
{
    const recording_options_t *recording = &options->recording;
    const bool has_devices = options->selection.name_count > 0 || options->selection.all;
    if (!has_devices && !options->read)
        return memory_string("no device given");
    if (options->read && (has_devices || options->list || options->follow))
        return memory_string(
            "--read: shows a recording, so no device, --all, --follow or --list can be given");
    for (size_t i = 0; i < options->selection.name_count; i++)
        if (options->selection.names[i][0] == '\0')
            return memory_string("a device name is empty");
    const bool rotates = recording->rotate_bytes > 0 || recording->rotate_seconds > 0;
    const char *needs_output = recording->append           ? "--append"
                               : recording->full_every > 0 ? "--changes"
                               : rotates                   ? "--rotate"
                                                           : NULL;
    if (needs_output && !recording->path)
        return memory_format("%s: needs --output", needs_output);
    return check_diagnose(options);
}

options_result_t options_parse(options_t *options, int argc, char **argv, char **error)
{
    *options = (options_t){.poll_period = 10.0, .timeout = 3.0};
    options->excluded = memory_new((size_t)argc, sizeof *options->excluded);
    options->selection.excluded = options->excluded;
    options->only = memory_new((size_t)argc, sizeof *options->only);
    options->view.summary.filter.patterns = options->only;
    options->explained = memory_new((size_t)argc, sizeof *options->explained);
    *error = NULL;
    optind = 0; /* so that tests may parse more than one command line */
    int letter = 0;
    bool has_period = false;
    while (!*error && (letter = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
        has_period |= letter == LONG_POLL_PERIOD;
        if (letter == 'h')
            return OPTIONS_HELP;
        if (letter == 'V')
            return OPTIONS_VERSION;
        if (letter == ':' || letter == '?')
            *error = option_error(letter, argv[optind - 1]);
        else if (optarg)
            *error = take_value(options, letter, optarg);
        else
            take_flag(options, letter);
        if ((letter == LONG_CHANGES || letter == LONG_DIAGNOSE) && !optarg)
            *error = separated_number(letter, argv[optind]);
    }
    options->selection.names = argv + optind;
    options->selection.name_count = (size_t)(argc - optind);
    if (!*error)
        *error = options->explain ? check_explained(options) : check(options);
    settle_diagnose(options, has_period);
    return *error ? OPTIONS_WRONG : options->explain ? OPTIONS_EXPLAIN : OPTIONS_RUN;
}

void options_clear(options_t *options)
{
    free(options->excluded);
    free(options->only);
    free(options->explained);
    options->explained = NULL;
    options->excluded = options->only = NULL;
    rule_settings_clear(&options->rules);
    fail_on_clear(&options->fail_on);
}

void options_help(FILE *out)
{
    fputs("Usage: ska-tango-event-monitor [OPTION]... DEVICE...\n"
          "       ska-tango-event-monitor [OPTION]... --read FILE\n"
          "       ska-tango-event-monitor --diagnose [OPTION]... DEVICE...\n"
          "       ska-tango-event-monitor --explain [RULE]...\n"
          "Shows where the events of Tango device servers go: polls their event systems,\n"
          "prints what changed and what is wrong, and records the answers.\n"
          "\n"
          "DEVICE is a device, an admin device (dserver/SERVER/INSTANCE) or an alias, in\n"
          "the database of TANGO_HOST or as tango://HOST:PORT/...; without a database it is\n"
          "tango://HOST:PORT/DOMAIN/FAMILY/MEMBER#dbase=no. With a '*' in it, it stands for\n"
          "all running devices of the database that match it; @FILE for the names in a\n"
          "file, one per line.\n"
          "\n"
          "      --all                  every running server of the database of TANGO_HOST\n"
          "      --exclude PATTERN      except devices and servers that match; '*', '?'\n"
          "      --skip-unsupported     skip servers that have no command to ask, even if\n"
          "                             they are named outright\n"
          "      --follow               also watch the servers that these receive events\n"
          "                             from, and so on\n"
          "      --list                 print what would be watched, and which command each\n"
          "                             server offers, and exit\n"
          "      --poll-period SECONDS  time from one poll to the next (default 10.0)\n"
          "      --timeout SECONDS      how long a server may take to answer (default 3)\n"
          "      --no-checks            contact nothing but these servers, not even to find\n"
          "                             out why events don't arrive\n"
          "  -n, --count N              stop after N polls (default: run until interrupted)\n"
          "  -m, --monitor-perf         have the servers take performance samples\n"
          "                             meanwhile, and show them\n"
          "  -o, --output FILE          record every answer in FILE, one JSON object per\n"
          "                             line; compressed if it ends in .gz, .zst or .xz;\n"
          "                             - is standard output: then no summaries are printed\n"
          "  -a, --append               append to FILE instead of emptying it\n"
          "      --rotate SIZE|TIME     begin a new FILE when it reaches SIZE (100M), or\n"
          "                             every TIME (1d); the old file gets the time in its\n"
          "                             name\n"
          "      --changes[=N]          record only what has changed, and every Nth poll\n"
          "                             (default 100) in full\n"
          "      --read FILE            show a recording instead of asking servers; with\n"
          "                             -o FILE2, write it there, all polls in full\n"
          "  -q, --quiet                print no summaries\n"
          "      --format FORMAT        format of the summaries: text (default), json,\n"
          "                             jsonl; of a diagnosis also junit\n"
          "      --only PATTERN         only streams that match; '*', '?'\n"
          "      --top N                show the top N streams of all servers instead\n"
          "      --by KEY               what --top sorts by: loss (default), rate, latency\n"
          "                             or processing (these two need -m, and the agent)\n"
          "      --threshold RULE=VALUE the value from which a rule finds something\n"
          "      --thresholds FILE      the same from a file, RULE=VALUE on each line\n"
          "      --diagnose[=SECONDS]   watch for a while (default 15 s), say whether all\n"
          "                             is well, and what was found, and exit with status\n"
          "                             0 or 3; switches performance monitoring on\n"
          "                             meanwhile\n"
          "      --fail-on LIST         what counts as found: rules, groups, or fault,\n"
          "                             warning, remark (and worse), with commas between;\n"
          "                             none (default: warning)\n"
          "      --explain [RULE]       print what a rule finds, how, and what to do about\n"
          "                             it; or a list of all rules\n"
          "      --no-color             no colour and no status line on a terminal\n"
          "  -h, --help                 print this help and exit\n"
          "  -V, --version              print the version and exit\n"
          "\n"
          "Exit status: 0 if all went well, also if stopped by SIGINT or SIGTERM; 1 if it\n"
          "couldn't start or something was lost; 2 for a wrong command line; 3 if\n"
          "--diagnose found something.\n",
          out);
}
