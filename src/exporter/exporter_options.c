#include "exporter/exporter_options.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "exporter/web/listen.h"

#define LIMIT 200000

static char default_address[] = "127.0.0.1:9751";

enum { LONG_ADDRESS = LONG_OWN, LONG_PATH, LONG_CONFIG, LONG_LIMIT, LONG_NO_PAGE };

static const char short_options[] = ":mhV";

static const struct option long_options[] = {
    WATCH_LONG_OPTIONS,
    {"web.listen-address", required_argument, NULL, LONG_ADDRESS},
    {"web.telemetry-path", required_argument, NULL, LONG_PATH},
    {"web.config.file", required_argument, NULL, LONG_CONFIG},
    {"limit", required_argument, NULL, LONG_LIMIT},
    {"no-page", no_argument, NULL, LONG_NO_PAGE},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

/*
 * A path as it stands in a request: what would have to be encoded there, begins a query, or is
 * taken, isn't one. Returns what is wrong with it, or NULL.
 */
static char *check_path(const char *path)
{
    static const char usual[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "/-._~!$&'()*+,;=:@";
    if (path[0] != '/' || path[1] == '/')
        return memory_format("--web.telemetry-path %s: must begin with one slash", path);
    if (path[strspn(path, usual)] != '\0')
        return memory_format("--web.telemetry-path %s: must have nothing but letters, digits and "
                             "slashes, and of the other characters -._~!$&'()*+,;=:@",
                             path);
    if (strncmp(path, "/-/", 3) == 0)
        return memory_format("--web.telemetry-path %s: what is below /-/ has another meaning",
                             path);
    return NULL;
}

/* Handles an option of our own; returns what is wrong with it, or NULL. */
static char *take_value(exporter_options_t *options, int letter, char *value)
{
    int64_t count = 0;
    char *error = NULL;
    switch (letter) {
    case LONG_ADDRESS:
        error = listen_check(value);
        if (error) {
            char *line = memory_format("--web.listen-address %s: %s", value, error);
            free(error);
            return line;
        }
        options->addresses[options->web.address_count++] = value;
        break;
    case LONG_PATH:
        options->web.telemetry_path = value;
        return check_path(value);
    case LONG_CONFIG:
        if (value[0] == '\0')
            return memory_string("--web.config.file: the file name is empty");
        options->web.config_file = value;
        break;
    case LONG_NO_PAGE:
        options->no_page = true;
        break;
    default: /* LONG_LIMIT */
        if (!option_count(value, &count))
            return memory_format("--limit %s: not a number of series, 1 or more", value);
        options->limit = (size_t)count;
        break;
    }
    return NULL;
}

exporter_options_result_t exporter_options_parse(exporter_options_t *options, int argc, char **argv,
                                                 char **error)
{
    *options = (exporter_options_t){.watch = watch_options_of(argc), .limit = LIMIT};
    options->addresses = memory_new((size_t)argc + 1, sizeof *options->addresses);
    options->web.addresses = options->addresses;
    options->web.telemetry_path = "/metrics";
    *error = NULL;
    optind = 0; /* so that tests may parse more than one command line */
    int letter = 0;
    while (!*error && (letter = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
        if (letter == 'h')
            return EXPORTER_HELP;
        if (letter == 'V')
            return EXPORTER_VERSION;
        if (letter == ':' || letter == '?')
            *error = option_error(letter, argv[optind - 1]);
        else if (!watch_options_take(&options->watch, letter, optarg, error))
            *error = take_value(options, letter, optarg);
    }
    if (options->web.address_count == 0)
        options->addresses[options->web.address_count++] = default_address;
    watch_options_take_names(&options->watch, argv + optind, (size_t)(argc - optind));
    if (!*error)
        *error = watch_options_check_names(&options->watch);
    return *error ? EXPORTER_WRONG : EXPORTER_RUN;
}

void exporter_options_clear(exporter_options_t *options)
{
    free(options->addresses);
    options->addresses = NULL;
    watch_options_clear(&options->watch);
}

void exporter_options_help(FILE *out)
{
    /* clang-format off */
    fputs("Usage: ska-tango-event-exporter [OPTION]... DEVICE...\n"
          "Exports what happens to the events of Tango device servers as metrics for\n"
          "Prometheus: polls their event systems, and answers each scrape with what it\n"
          "learnt last. What came of the last hour is a page for a browser, at /.\n"
          "\n"
          WATCH_HELP_DEVICE
          "\n"
          WATCH_HELP_SELECTION
          WATCH_HELP_POLLS
          WATCH_HELP_PERF
          WATCH_HELP_ONLY
          "      --limit N              at most N series of streams (default 200000);\n"
          "                             beyond, the streams of a server are summed up\n"
          "      --no-page              no page of the last hour at /, which takes memory\n"
          WATCH_HELP_THRESHOLDS
          "      --web.listen-address ADDRESS\n"
          "                             where to listen, HOST:PORT, or :PORT for all\n"
          "                             interfaces (default 127.0.0.1:9751); may be given\n"
          "                             more than once\n"
          "      --web.telemetry-path PATH\n"
          "                             the path of the metrics (default /metrics)\n"
          "      --web.config.file FILE TLS, and users with passwords, as other exporters\n"
          "                             have them\n"
          "  -h, --help                 print this help and exit\n"
          "  -V, --version              print the version and exit\n"
          "\n"
          "Exit status: 0 if it was stopped by SIGINT or SIGTERM; 1 if it couldn't start;\n"
          "2 for a wrong command line.\n",
          out);
    /* clang-format on */
}
