/*
 * report_page_sink: fills the page of the last hour.
 */
#ifndef STEM_REPORT_PAGE_SINK_H
#define STEM_REPORT_PAGE_SINK_H

#include <stddef.h>

#include "monitor/sink.h"
#include "monitor/view/filter.h"
#include "monitor/view/report/page/report_page.h"

typedef struct {
    filter_t filter;          /* its patterns have to live as long */
    double window;            /* s */
    size_t budget;            /* bytes, as in report_options_t */
    double poll_period;       /* s: how often the page gets itself anew */
    const char *metrics_path; /* has to live as long */
} report_page_options_t;

/* Never NULL. */
report_page_t *report_page_new(const report_page_options_t *options);

/* Frees it and sets *self to NULL; *self may be NULL. Nobody may use it any more. */
void report_page_destroy(report_page_t **self);

/* A sink that fills it; it stays the caller's and has to live as long. Never NULL. */
sink_t *report_page_sink_new(report_page_t *self);

#endif
