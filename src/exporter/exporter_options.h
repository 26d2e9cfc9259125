/*
 * exporter_options: the command line of ska-tango-event-exporter.
 */
#ifndef STEM_EXPORTER_OPTIONS_H
#define STEM_EXPORTER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "exporter/web/web_server.h"
#include "monitor/watch_options.h"

typedef struct {
    watch_options_t watch; /* whom, how often, which streams */
    web_options_t web;
    char **addresses; /* its addresses; free the list with exporter_options_clear() */
    size_t limit;     /* how many series streams may have in all */
    bool no_page;     /* of the last hour */
} exporter_options_t;

typedef enum {
    EXPORTER_RUN,     /* do what the options say */
    EXPORTER_HELP,    /* print exporter_options_help() and exit */
    EXPORTER_VERSION, /* print the version and exit */
    EXPORTER_WRONG    /* *error says what is wrong with the command line */
} exporter_options_result_t;

/*
 * Reads a command line into *options; reorders argv so that the devices come last. After
 * EXPORTER_WRONG *error is one line, which the caller frees; otherwise it is NULL.
 */
exporter_options_result_t exporter_options_parse(exporter_options_t *options, int argc, char **argv,
                                                 char **error);

/* Frees what exporter_options_parse() has allocated. */
void exporter_options_clear(exporter_options_t *options);

/* Prints the help. */
void exporter_options_help(FILE *out);

#endif
