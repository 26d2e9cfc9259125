/*
 * watch_options: the options that all programs have which watch servers: whom, how often, and
 * which streams.
 */
#ifndef STEM_WATCH_OPTIONS_H
#define STEM_WATCH_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/analysis/findings/rules.h"
#include "monitor/poll/selection.h"
#include "monitor/view/filter.h"

/* Options without a letter; a program's own begin at LONG_OWN. */
enum {
    LONG_POLL_PERIOD = 256,
    LONG_TIMEOUT,
    LONG_ALL,
    LONG_LOCAL,
    LONG_EXCLUDE,
    LONG_SKIP,
    LONG_FOLLOW,
    LONG_LIST,
    LONG_NO_CHECKS,
    LONG_ONLY,
    LONG_THRESHOLD,
    LONG_THRESHOLDS,
    LONG_SHARD,
    LONG_OWN,
};

/* Their lines for getopt_long(). */
#define WATCH_LONG_OPTIONS                                                                         \
    {"poll-period", required_argument, NULL, LONG_POLL_PERIOD},                                    \
        {"monitor-perf", no_argument, NULL, 'm'},                                                  \
        {"timeout", required_argument, NULL, LONG_TIMEOUT}, {"all", no_argument, NULL, LONG_ALL},  \
        {"local", no_argument, NULL, LONG_LOCAL},                                                  \
        {"exclude", required_argument, NULL, LONG_EXCLUDE},                                        \
        {"skip-unsupported", no_argument, NULL, LONG_SKIP},                                        \
        {"follow", no_argument, NULL, LONG_FOLLOW}, {"list", no_argument, NULL, LONG_LIST},        \
        {"shard", required_argument, NULL, LONG_SHARD},                                            \
        {"no-checks", no_argument, NULL, LONG_NO_CHECKS},                                          \
        {"only", required_argument, NULL, LONG_ONLY},                                              \
        {"threshold", required_argument, NULL, LONG_THRESHOLD},                                    \
    {                                                                                              \
        "thresholds", required_argument, NULL, LONG_THRESHOLDS                                     \
    }

/* Their lines of --help, in parts, between which a program may put its own. */
#define WATCH_HELP_DEVICE                                                                          \
    "DEVICE is a device, an admin device (dserver/SERVER/INSTANCE) or an alias, in\n"              \
    "the database of TANGO_HOST or as tango://HOST:PORT/...; without a database it is\n"           \
    "tango://HOST:PORT/DOMAIN/FAMILY/MEMBER#dbase=no. With a '*' in it, it stands for\n"           \
    "all running devices of the database that match it; @FILE for the names in a\n"                \
    "file, one per line.\n"                                                                        \
    "A process of this machine that has an agent is pid:NUMBER, or client:NAME if it\n"            \
    "has no device and runs that program (archiver.py).\n"
#define WATCH_HELP_SELECTION                                                                       \
    "      --all                  every running server of the database of TANGO_HOST\n"            \
    "      --local                every process of this machine that has an agent,\n"              \
    "                             now and later\n"                                                 \
    "      --exclude PATTERN      except devices and servers that match; '*', '?'\n"               \
    "      --skip-unsupported     skip servers that have no command to ask, even if\n"             \
    "                             they are named outright\n"                                       \
    "      --follow               also watch the servers that these receive events\n"              \
    "                             from, and so on\n"                                               \
    "      --shard N/M            only the Nth of M parts of these servers, by their\n"            \
    "                             names, for M programs side by side\n"                            \
    "      --list                 print what would be watched, and which command each\n"           \
    "                             server offers, and exit\n"
#define WATCH_HELP_POLLS                                                                           \
    "      --poll-period SECONDS  time from one poll to the next (default 10.0)\n"                 \
    "      --timeout SECONDS      how long a server may take to answer (default 3)\n"              \
    "      --no-checks            contact nothing but these servers, not even to find\n"           \
    "                             out why events don't arrive\n"
#define WATCH_HELP_PERF                                                                            \
    "  -m, --monitor-perf         have the servers take performance samples\n"                     \
    "                             meanwhile, and show them\n"
#define WATCH_HELP_ONLY "      --only PATTERN         only streams that match; '*', '?'\n"
#define WATCH_HELP_THRESHOLDS                                                                      \
    "      --threshold RULE=VALUE the value from which a rule finds something\n"                   \
    "      --thresholds FILE      the same from a file, RULE=VALUE on each line\n"

typedef struct {
    double poll_period;            /* seconds from one poll to the next */
    double timeout;                /* seconds that a server has to answer */
    bool perf;                     /* start performance monitoring */
    bool follow;                   /* watch those that events are received from, too */
    bool no_checks;                /* try out nothing by itself */
    bool list;                     /* print what would be watched, and exit */
    selection_options_t selection; /* its names and patterns point into argv */
    filter_t filter;               /* which streams are shown; likewise */
    rule_settings_t rules;         /* thresholds */
    char **lists;                  /* of the patterns */
} watch_options_t;

/* The defaults, for a command line of argc words. Free it with watch_options_clear(). */
watch_options_t watch_options_of(int argc);
void watch_options_clear(watch_options_t *self);

/*
 * Takes an option of WATCH_LONG_OPTIONS, as getopt_long() returned it, with its value, if any.
 * False if it is none of them. What is wrong with it is in *error, one line, which the caller
 * frees; else NULL.
 */
bool watch_options_take(watch_options_t *self, int letter, char *value, char **error);

/* Takes what follows the options. */
void watch_options_take_names(watch_options_t *self, char **names, size_t count);

/* What is wrong with the names as a whole; NULL: nothing. The caller frees it. */
char *watch_options_check_names(const watch_options_t *self);

/* ---- for options of others ---- */

/* Bounds that keep calculations with times from overflowing, and the machine from spinning. */
#define OPTION_SECONDS_MIN 0.01
#define OPTION_SECONDS_MAX 1e6

/* Reads a number of seconds from a minimum to a maximum, as people write it. */
bool option_seconds(const char *text, double min, double max, double *seconds);

/* What to say if it is none; the caller frees it. name: without "--". */
char *option_seconds_error(const char *name, const char *text, double max);

/* Reads a whole number of at least 1. */
bool option_count(const char *text, int64_t *count);

/* What is wrong with an option that getopt_long() rejects by returning letter, ':' or '?': one
 * line, which the caller frees. argument: the word before argv[optind]. */
char *option_error(int letter, const char *argument);

#endif
