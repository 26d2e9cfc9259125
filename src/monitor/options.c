#include "monitor/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "monitor/explain.h"

/* Options without a letter. */
enum {
    LONG_ROTATE = LONG_OWN,
    LONG_CHANGES,
    LONG_READ,
    LONG_FORMAT,
    LONG_NO_COLOR,
    LONG_TOP,
    LONG_BY,
    LONG_EXPLAIN,
    LONG_DIAGNOSE,
    LONG_FAIL_ON,
    LONG_LIVE,
};

/* How often --live polls: somebody is watching. */
#define LIVE_PERIOD 2.0

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

static const char short_options[] = ":o:amn:qvhV";

static const struct option long_options[] = {
    WATCH_LONG_OPTIONS,
    {"output", required_argument, NULL, 'o'},
    {"append", no_argument, NULL, 'a'},
    {"count", required_argument, NULL, 'n'},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"rotate", required_argument, NULL, LONG_ROTATE},
    {"changes", optional_argument, NULL, LONG_CHANGES},
    {"read", required_argument, NULL, LONG_READ},
    {"live", no_argument, NULL, LONG_LIVE},
    {"format", required_argument, NULL, LONG_FORMAT},
    {"no-color", no_argument, NULL, LONG_NO_COLOR},
    {"top", required_argument, NULL, LONG_TOP},
    {"by", required_argument, NULL, LONG_BY},
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
    const bool is_number = option_count(number, &count);
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
    case 'n':
        if (!option_count(value, &options->count))
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
        if (!option_count(value, &options->recording.full_every))
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
        if (!option_count(value, &count))
            return memory_format("--top %s: not a number of streams, 1 or more", value);
        summary->top = (size_t)count;
        break;
    case LONG_BY:
        place = place_of(value, keys);
        if (place < 0)
            return memory_format("--by %s: must be loss, rate, latency or processing", value);
        summary->top_key = (top_key_t)place;
        break;
    case LONG_DIAGNOSE:
        if (!option_seconds(value, OPTION_SECONDS_MIN, OPTION_SECONDS_MAX, &options->duration))
            return option_seconds_error(long_name(letter), value, OPTION_SECONDS_MAX);
        options->diagnose = true;
        break;
    case LONG_FAIL_ON:
        return take_fail_on(options, value);
    default: /* LONG_EXPLAIN */
        options->explain = true;
        options->explained[options->explained_count++] = value;
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
    case 'q':
        options->quiet = true;
        break;
    case 'v':
        options->view.summary.verbose = true;
        break;
    case LONG_DIAGNOSE:
        options->diagnose = true;
        break;
    case LONG_LIVE:
        options->live = true;
        break;
    case LONG_EXPLAIN:
        options->explain = true;
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
    if (!next || !option_seconds(next, 0, OPTION_SECONDS_MAX, &number))
        return NULL;
    const char *name = long_name(letter);
    return memory_format("--%s %s: the number follows an equals sign: --%s=%s", name, next, name,
                         next);
}

/* Takes what follows --explain as names of rules; returns what is wrong with one, or NULL. */
static char *check_explained(options_t *options)
{
    const selection_options_t *selection = &options->watch.selection;
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
    const char *without = options->watch.list             ? "--list"
                          : options->view.summary.top > 0 ? "--top"
                                                          : NULL;
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
    options->watch.perf = true;
    if (has_period)
        return;
    const double seconds = options->duration > 0 ? options->duration : DIAGNOSE_SECONDS;
    const double period = seconds / DIAGNOSE_POLLS;
    options->watch.poll_period = period < DIAGNOSE_PERIOD_MIN   ? DIAGNOSE_PERIOD_MIN
                                 : period > DIAGNOSE_PERIOD_MAX ? DIAGNOSE_PERIOD_MAX
                                                                : period;
}

/* What --live doesn't go with; NULL: nothing. */
static char *check_live(const options_t *options, bool has_format)
{
    const char *path = options->recording.path;
    const char *without = !options->live                                    ? NULL
                          : options->diagnose                               ? "--diagnose"
                          : has_format                                      ? "--format"
                          : options->quiet                                  ? "--quiet"
                          : options->watch.list                             ? "--list"
                          : options->view.summary.top > 0                   ? "--top"
                          : path && recording_goes_to_standard_output(path) ? "--output -"
                                                                            : NULL;
    return without ? memory_format("--live: takes the terminal, so %s can't be given", without)
                   : NULL;
}

/* What is wrong with the combination of valid options; NULL: nothing. */
static char *check(const options_t *options)
{
    const recording_options_t *recording = &options->recording;
    const bool has_devices = options->watch.selection.name_count > 0 ||
                             options->watch.selection.all || options->watch.selection.local;
    const bool selects = has_devices || options->watch.list || options->watch.follow ||
                         options->watch.selection.shard.count > 0;
    if (options->read && selects)
        return memory_string("--read: shows a recording, so no device, --all, --local, --follow, "
                             "--shard or --list can be given");
    char *wrong = options->read ? NULL : watch_options_check_names(&options->watch);
    if (wrong)
        return wrong;
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
    *options = (options_t){.watch = watch_options_of(argc)};
    options->explained = memory_new((size_t)argc, sizeof *options->explained);
    *error = NULL;
    optind = 0; /* so that tests may parse more than one command line */
    int letter = 0;
    bool has_period = false;
    bool has_format = false;
    while (!*error && (letter = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
        has_period |= letter == LONG_POLL_PERIOD;
        has_format |= letter == LONG_FORMAT;
        if (letter == 'h')
            return OPTIONS_HELP;
        if (letter == 'V')
            return OPTIONS_VERSION;
        if (letter == ':' || letter == '?')
            *error = option_error(letter, argv[optind - 1]);
        else if (watch_options_take(&options->watch, letter, optarg, error))
            continue;
        else if (optarg)
            *error = take_value(options, letter, optarg);
        else
            take_flag(options, letter);
        if ((letter == LONG_CHANGES || letter == LONG_DIAGNOSE) && !optarg)
            *error = separated_number(letter, argv[optind]);
    }
    watch_options_take_names(&options->watch, argv + optind, (size_t)(argc - optind));
    if (!*error)
        *error = options->explain ? check_explained(options) : check_live(options, has_format);
    if (!*error && !options->explain)
        *error = check(options);
    options->view.summary.filter = options->watch.filter;
    options->view.summary.perf = options->watch.perf;
    settle_diagnose(options, has_period);
    if (options->live && !has_period)
        options->watch.poll_period = LIVE_PERIOD;
    return *error ? OPTIONS_WRONG : options->explain ? OPTIONS_EXPLAIN : OPTIONS_RUN;
}

void options_clear(options_t *options)
{
    free(options->explained);
    options->explained = NULL;
    watch_options_clear(&options->watch);
    fail_on_clear(&options->fail_on);
}

void options_help(FILE *out)
{
    /* clang-format off */
    fputs("Usage: ska-tango-event-monitor [OPTION]... DEVICE...\n"
          "       ska-tango-event-monitor [OPTION]... --read FILE\n"
          "       ska-tango-event-monitor --live [OPTION]... DEVICE...\n"
          "       ska-tango-event-monitor --diagnose [OPTION]... DEVICE...\n"
          "       ska-tango-event-monitor --explain [RULE]...\n"
          "Shows where the events of Tango device servers go: polls their event systems,\n"
          "prints what changed and what is wrong, and records the answers.\n"
          "\n"
          WATCH_HELP_DEVICE
          "\n"
          WATCH_HELP_SELECTION
          WATCH_HELP_POLLS
          "  -n, --count N              stop after N polls (default: run until interrupted)\n"
          WATCH_HELP_PERF
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
          "  -v, --verbose              in text, show more: the last server counter of each\n"
          "                             subscription; with -m, how long the callbacks of\n"
          "                             each attribute took\n"
          "      --live                 show it in the terminal, as long as you like, and\n"
          "                             take keys (? for help); every 2 s; with --read, to\n"
          "                             go through a recording\n"
          "      --format FORMAT        format of the summaries: text (default), json,\n"
          "                             jsonl; of a diagnosis also junit\n"
          WATCH_HELP_ONLY
          "      --top N                show the top N streams of all servers instead\n"
          "      --by KEY               what --top sorts by, and --live at first: loss\n"
          "                             (default), rate, latency or processing (these two\n"
          "                             need -m, and the agent)\n"
          WATCH_HELP_THRESHOLDS
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
    /* clang-format on */
}
