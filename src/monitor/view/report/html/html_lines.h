/*
 * html_lines: the numbers of one stream over time, of its publishers and subscribers together. Only
 * for files of this folder.
 */
#ifndef STEM_HTML_LINES_H
#define STEM_HTML_LINES_H

#include "monitor/view/report/html/html_chart.h"

typedef enum {
    LINE_PUSH_RATE,    /* the highest in a column */
    LINE_RECEIVE_RATE, /* likewise, of one subscriber */
    LINE_PUSHED,
    LINE_RECEIVED,
    LINE_LOST,
    LINE_LOST_IN_OUTAGE,
    LINE_OVERFLOW, /* lost, but not in an outage */
    LINES
} line_t;

typedef struct {
    chart_columns_t columns;
    double *values[LINES]; /* columns.count each */
} stream_lines_t;

/* In at most so many columns; free with stream_lines_clear(). */
stream_lines_t stream_lines(const html_page_t *page, const report_stream_t *stream, size_t most);
void stream_lines_clear(stream_lines_t *self);

/* The rate of a stream and its losses, as a chart for the row of a table. */
void stream_lines_spark(html_page_t *page, const report_stream_t *stream);

#endif
