/*
 * report_html: a report as a page in one self-contained file: readable without scripts and when it
 * is printed, offline, on a phone. Names from the watched system are never markup.
 */
#ifndef STEM_REPORT_HTML_H
#define STEM_REPORT_HTML_H

#include <stddef.h>
#include <stdio.h>

#include "monitor/view/report/collect/report.h"

typedef struct {
    const char *title;        /* e.g. the files' names; may hold anything */
    double refresh;           /* s: the page is served by the exporter, and gets itself anew so
                                 often; 0: it is a file */
    const char *metrics_path; /* of a served page: where the metrics are; or NULL */
    size_t bytes;             /* the page has at most so many: what matters least is left out, and
                                 that is said; 0: REPORT_HTML_BYTES */
} report_html_options_t;

#define REPORT_HTML_BYTES 1000000

void report_html_write(FILE *out, const report_t *self, const report_html_options_t *options);

/* The content security policy of a served page, for an HTTP header; in every page stands the same,
 * but for what doesn't suit it. Any thread. */
const char *report_html_policy(void);

#endif
