#include "monitor/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "response/memory.h"

/* Bounds that keep the arithmetic with times far from its ends, and the machine from spinning. */
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
    LONG_LIST,
    LONG_ROTATE,
    LONG_CHANGES,
    LONG_READ,
    LONG_FORMAT,
    LONG_NO_COLOR,
    LONG_TOP,
    LONG_BY,
    LONG_ONLY,
};

/* Of how many lines one is whole, with --changes alone. */
#define FULL_EVERY 100

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
    {"list", no_argument, NULL, LONG_LIST},
    {"rotate", required_argument, NULL, LONG_ROTATE},
    {"changes", optional_argument, NULL, LONG_CHANGES},
    {"read", required_argument, NULL, LONG_READ},
    {"format", required_argument, NULL, LONG_FORMAT},
    {"no-color", no_argument, NULL, LONG_NO_COLOR},
    {"top", required_argument, NULL, LONG_TOP},
    {"by", required_argument, NULL, LONG_BY},
    {"only", required_argument, NULL, LONG_ONLY},
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
 * A number as people write one: strtod alone would also take "nan", "inf", "0x1p3", " 1" and "-1".
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

/* The place of a word in a list that ends with NULL; -1 if it isn't there. */
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

options_result_t options_parse(options_t *options, int argc, char **argv, char **error)
{
    *options = (options_t){.poll_period = 10.0, .timeout = 3.0};
    options->excluded = memory_new((size_t)argc, sizeof *options->excluded);
    options->selection.excluded = options->excluded;
    options->only = memory_new((size_t)argc, sizeof *options->only);
    options->display.summary.filter.patterns = options->only;
    *error = NULL;
    optind = 0; /* so that tests may parse more than one command line */
    int letter = 0;
    int64_t top = 0;
    while (letter != -1) {
        letter = getopt_long(argc, argv, short_options, long_options, NULL);
        switch (letter) {
        case -1:
            break;
        case LONG_POLL_PERIOD:
            if (!parse_seconds(optarg, SECONDS_MIN, POLL_PERIOD_MAX, &options->poll_period)) {
                *error = seconds_error(letter, optarg, POLL_PERIOD_MAX);
                return OPTIONS_WRONG;
            }
            break;
        case LONG_TIMEOUT:
            if (!parse_seconds(optarg, SECONDS_MIN, TIMEOUT_MAX, &options->timeout)) {
                *error = seconds_error(letter, optarg, TIMEOUT_MAX);
                return OPTIONS_WRONG;
            }
            break;
        case 'n':
            if (!parse_count(optarg, &options->count)) {
                *error = memory_format("--count %s: not a number of polls, 1 or more", optarg);
                return OPTIONS_WRONG;
            }
            break;
        case 'o':
            if (optarg[0] == '\0') {
                *error = memory_string("--output: the name of the file is empty");
                return OPTIONS_WRONG;
            }
            options->recording.path = optarg;
            break;
        case 'a':
            options->recording.append = true;
            break;
        case LONG_ROTATE:
            if (!parse_rotation(optarg, &options->recording)) {
                *error = memory_format("--rotate %s: neither a size (100M; k, M, G) nor a time "
                                       "(12h; s, min, h, d)",
                                       optarg);
                return OPTIONS_WRONG;
            }
            break;
        case LONG_CHANGES:
            options->recording.full_every = FULL_EVERY;
            if (optarg && !parse_count(optarg, &options->recording.full_every)) {
                *error = memory_format("--changes=%s: not a number of polls, 1 or more", optarg);
                return OPTIONS_WRONG;
            }
            break;
        case LONG_READ:
            options->read = optarg;
            break;
        case LONG_FORMAT: {
            static const char *const formats[] = {"text", "json", "jsonl", NULL};
            const int place = place_of(optarg, formats);
            if (place < 0) {
                *error = memory_format("--format %s: text, json or jsonl", optarg);
                return OPTIONS_WRONG;
            }
            options->display.format = (format_t)place;
            break;
        }
        case LONG_NO_COLOR:
            options->display.no_color = true;
            break;
        case LONG_TOP:
            if (!parse_count(optarg, &top)) {
                *error = memory_format("--top %s: not a number of streams, 1 or more", optarg);
                return OPTIONS_WRONG;
            }
            options->display.summary.top = (size_t)top;
            break;
        case LONG_BY: {
            static const char *const keys[] = {"loss", "rate", "latency", "processing", NULL};
            const int place = place_of(optarg, keys);
            if (place < 0) {
                *error = memory_format("--by %s: loss, rate, latency or processing", optarg);
                return OPTIONS_WRONG;
            }
            options->display.summary.top_key = (top_key_t)place;
            break;
        }
        case LONG_ONLY:
            options->only[options->display.summary.filter.count++] = optarg;
            break;
        case 'm':
            options->perf = options->display.summary.perf = true;
            break;
        case 'q':
            options->quiet = true;
            break;
        case LONG_ALL:
            options->selection.all = true;
            break;
        case LONG_EXCLUDE:
            options->excluded[options->selection.excluded_count++] = optarg;
            break;
        case LONG_SKIP:
            options->selection.skip_unsupported = true;
            break;
        case LONG_LIST:
            options->list = true;
            break;
        case 'h':
            return OPTIONS_HELP;
        case 'V':
            return OPTIONS_VERSION;
        case ':':
            /* With a short option optopt is its letter; a long one stands in argv whole. */
            *error = memory_format("%s: needs a value", argv[optind - 1]);
            return OPTIONS_WRONG;
        default:
            if (optopt > 0 && strncmp(argv[optind - 1], "--", 2) != 0)
                *error = memory_format("-%c: no such option", optopt);
            else if (optopt > 0)
                *error = memory_format("%s: takes no value", argv[optind - 1]);
            else
                *error = memory_format("%s: no such option, or short for more than one",
                                       argv[optind - 1]);
            return OPTIONS_WRONG;
        }
    }
    options->selection.names = argv + optind;
    options->selection.name_count = (size_t)(argc - optind);
    const bool has_devices = options->selection.name_count > 0 || options->selection.all;
    if (!has_devices && !options->read) {
        *error = memory_string("no device named");
        return OPTIONS_WRONG;
    }
    if (options->read && (has_devices || options->list)) {
        *error = memory_string("--read: shows a recording; no servers are asked meanwhile");
        return OPTIONS_WRONG;
    }
    for (size_t i = 0; i < options->selection.name_count; i++) {
        if (options->selection.names[i][0] == '\0') {
            *error = memory_string("the name of a device is empty");
            return OPTIONS_WRONG;
        }
    }
    const recording_options_t *recording = &options->recording;
    const char *needs_output = recording->append           ? "--append"
                               : recording->full_every     ? "--changes"
                               : recording->rotate_bytes   ? "--rotate"
                               : recording->rotate_seconds ? "--rotate"
                                                           : NULL;
    if (needs_output && !recording->path) {
        *error = memory_format("%s: needs --output", needs_output);
        return OPTIONS_WRONG;
    }
    return OPTIONS_RUN;
}

void options_clear(options_t *options)
{
    free(options->excluded);
    free(options->only);
    options->excluded = options->only = NULL;
}

void options_help(FILE *out)
{
    fputs(
        "Usage: ska-tango-event-monitor [OPTION]... DEVICE...\n"
        "       ska-tango-event-monitor [OPTION]... --read FILE\n"
        "Shows where the events of Tango device servers go: polls their event systems, prints\n"
        "what changed, and records the answers.\n"
        "\n"
        "DEVICE is a device, an admin device (dserver/SERVER/INSTANCE) or an alias, in the\n"
        "database of TANGO_HOST or as tango://HOST:PORT/...; without a database it is\n"
        "tango://HOST:PORT/DOMAIN/FAMILY/MEMBER#dbase=no. With a '*' in it, it stands for all\n"
        "running devices of the database that match it; @FILE for the names in a file, one a\n"
        "line.\n"
        "\n"
        "      --all                  every running server of the database of TANGO_HOST\n"
        "      --exclude PATTERN      but not the devices and servers that match; with '*', '?'\n"
        "      --skip-unsupported     pass over servers that have no command to ask, also those\n"
        "                             that are named outright\n"
        "      --list                 print what would be watched, and which command each server\n"
        "                             offers, and end\n"
        "      --poll-period SECONDS  time from one poll to the next (default 10.0)\n"
        "      --timeout SECONDS      how long a server may take to answer (default 3)\n"
        "  -n, --count N              stop after N polls (default: go on until interrupted)\n"
        "  -m, --monitor-perf         have the servers take performance samples meanwhile,\n"
        "                             and show them\n"
        "  -o, --output FILE          record every answer in FILE, one JSON object per line;\n"
        "                             - is standard output, and then no summaries are printed\n"
        "                             what ends in .gz, .zst or .xz is compressed\n"
        "  -a, --append               add to FILE instead of starting it anew\n"
        "      --rotate SIZE|TIME     begin a new FILE when it has SIZE (100M) or every TIME "
        "(1d);\n"
        "                             the old one gets the time into its name\n"
        "      --changes[=N]          record of most polls only what has changed, and of each N\n"
        "                             (default 100) one whole\n"
        "      --read FILE            show a recording instead of asking servers; with -o FILE2,\n"
        "                             write it there, all polls whole\n"
        "  -q, --quiet                print no summaries\n"
        "      --format FORMAT        of the summaries: text (default), json, jsonl\n"
        "      --only PATTERN         only streams that match; with '*', '?'\n"
        "      --top N                show, of all servers, the N streams at the top of a list\n"
        "      --by KEY               put it in order by loss (default), rate, latency or\n"
        "                             processing (the last two need -m, and the agent)\n"
        "      --no-color             no colour and no status line on a terminal\n"
        "  -h, --help                 print this help and end\n"
        "  -V, --version              print the version and end\n"
        "\n"
        "Exit status: 0 when all went well, also when ended by SIGINT or SIGTERM; 1 when it\n"
        "couldn't start or something was lost; 2 for a wrong command line.\n",
        out);
}
