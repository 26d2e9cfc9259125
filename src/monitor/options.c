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

static const char short_options[] = ":o:amn:qhV";

static const struct option long_options[] = {
    {"poll-period", required_argument, NULL, 'p'},
    {"output", required_argument, NULL, 'o'},
    {"append", no_argument, NULL, 'a'},
    {"monitor-perf", no_argument, NULL, 'm'},
    {"count", required_argument, NULL, 'n'},
    {"timeout", required_argument, NULL, 't'},
    {"quiet", no_argument, NULL, 'q'},
    {"all", no_argument, NULL, 'A'},
    {"exclude", required_argument, NULL, 'x'},
    {"skip-unsupported", no_argument, NULL, 's'},
    {"list", no_argument, NULL, 'l'},
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
    *error = NULL;
    optind = 0; /* so that tests may parse more than one command line */
    int letter = 0;
    while (letter != -1) {
        letter = getopt_long(argc, argv, short_options, long_options, NULL);
        switch (letter) {
        case -1:
            break;
        case 'p':
            if (!parse_seconds(optarg, SECONDS_MIN, POLL_PERIOD_MAX, &options->poll_period)) {
                *error = seconds_error(letter, optarg, POLL_PERIOD_MAX);
                return OPTIONS_WRONG;
            }
            break;
        case 't':
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
            options->output = optarg;
            break;
        case 'a':
            options->append = true;
            break;
        case 'm':
            options->perf = true;
            break;
        case 'q':
            options->quiet = true;
            break;
        case 'A':
            options->selection.all = true;
            break;
        case 'x':
            options->excluded[options->selection.excluded_count++] = optarg;
            break;
        case 's':
            options->selection.skip_unsupported = true;
            break;
        case 'l':
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
    if (options->selection.name_count == 0 && !options->selection.all) {
        *error = memory_string("no device named");
        return OPTIONS_WRONG;
    }
    for (size_t i = 0; i < options->selection.name_count; i++) {
        if (options->selection.names[i][0] == '\0') {
            *error = memory_string("the name of a device is empty");
            return OPTIONS_WRONG;
        }
    }
    if (options->append && !options->output) {
        *error = memory_string("--append: needs --output");
        return OPTIONS_WRONG;
    }
    return OPTIONS_RUN;
}

void options_clear(options_t *options)
{
    free(options->excluded);
    options->excluded = NULL;
}

void options_help(FILE *out)
{
    fputs(
        "Usage: ska-tango-event-monitor [OPTION]... DEVICE...\n"
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
        "  -a, --append               add to FILE instead of starting it anew\n"
        "  -q, --quiet                print no summaries\n"
        "  -h, --help                 print this help and end\n"
        "  -V, --version              print the version and end\n"
        "\n"
        "Exit status: 0 when all went well, also when ended by SIGINT or SIGTERM; 1 when it\n"
        "couldn't start or something was lost; 2 for a wrong command line.\n",
        out);
}
