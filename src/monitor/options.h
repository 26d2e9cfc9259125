/*
 * options: the command line of ska-tango-event-monitor.
 */
#ifndef STEM_OPTIONS_H
#define STEM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "monitor/analysis/findings/fail_on.h"
#include "monitor/recording/recording.h"
#include "monitor/view/view_options.h"
#include "monitor/watch_options.h"

typedef struct {
    watch_options_t watch;         /* whom, how often, which streams */
    int64_t count;                 /* stop after this many polls; 0: never */
    recording_options_t recording; /* its path is NULL if there is none */
    const char *read;              /* a recording to be shown instead of asking servers; or NULL */
    view_options_t view;           /* how to print */
    bool live;                     /* show it in a terminal, and take keys */
    bool diagnose;                 /* watch for a while and give a verdict */
    double duration;               /* for how many seconds; 0: no limit */
    fail_on_t fail_on;             /* what counts; free it with options_clear() */
    bool explain;                  /* print what rules mean, and exit */
    char **explained;              /* these rules or groups; none: a list of all. They point into
                                      argv; free the list with options_clear() */
    size_t explained_count;
    bool quiet; /* print no summaries */
} options_t;

typedef enum {
    OPTIONS_RUN,     /* do what the options say */
    OPTIONS_EXPLAIN, /* print what explain.h says, and exit */
    OPTIONS_HELP,    /* print options_help() and exit */
    OPTIONS_VERSION, /* print the version and exit */
    OPTIONS_WRONG    /* *error says what is wrong with the command line */
} options_result_t;

/*
 * Reads a command line into *options; reorders argv so that the devices come last. After
 * OPTIONS_WRONG *error is one line, which the caller frees; otherwise it is NULL.
 */
options_result_t options_parse(options_t *options, int argc, char **argv, char **error);

/* Frees what options_parse() has allocated. */
void options_clear(options_t *options);

/* Prints the help. */
void options_help(FILE *out);

#endif
