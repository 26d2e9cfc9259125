/*
 * report_options: the command line of ska-tango-event-report.
 */
#ifndef STEM_REPORT_OPTIONS_H
#define STEM_REPORT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "monitor/analysis/findings/fail_on.h"
#include "monitor/analysis/findings/rules.h"
#include "monitor/view/filter.h"
#include "monitor/view/view_options.h"
#include "report/time_option.h"

typedef struct {
    char **files; /* in argv */
    size_t file_count;
    format_t format;  /* text or json */
    const char *html; /* the file to write, "-": standard output; NULL: none */
    const char *csv;  /* the directory; NULL: none */
    filter_t filter;  /* its patterns point into argv; free with report_options_clear() */
    time_option_t since, until;
    size_t top; /* entries of each list in text */
    bool no_color;
    bool quiet; /* no text, no progress */
    rule_settings_t rules;
    fail_on_t fail_on;
} report_program_options_t;

typedef enum {
    REPORT_OPTIONS_RUN,
    REPORT_OPTIONS_HELP,
    REPORT_OPTIONS_VERSION,
    REPORT_OPTIONS_WRONG /* *error says what is wrong with the command line */
} report_options_result_t;

/* As options_parse() does. */
report_options_result_t report_options_parse(report_program_options_t *options, int argc,
                                             char **argv, char **error);
void report_options_clear(report_program_options_t *options);
void report_options_help(FILE *out);

#endif
