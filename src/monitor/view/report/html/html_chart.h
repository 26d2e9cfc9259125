/*
 * html_chart: charts over time, as SVG: how wide a column is, lines in steps, bars, ticks. Only for
 * files of this folder.
 *
 * All charts have the same time from left to right. A plot is an SVG element of its own, which is
 * stretched to its place: x is the number of a column, y begins at the top, and the script zooms by
 * changing the viewBox. Text is outside of it, so that it keeps its size.
 */
#ifndef STEM_HTML_CHART_H
#define STEM_HTML_CHART_H

#include "monitor/view/report/html/html_page.h"

/* How the columns of an axis are joined, for a chart. */
typedef struct {
    const report_axis_t *axis;
    size_t fold;
    size_t count;   /* of joined columns */
    double seconds; /* of each */
} chart_columns_t;

/* So many columns at most. */
chart_columns_t chart_columns(const html_page_t *page, const report_axis_t *axis, size_t most);

/* A figure whose charts share a pointer: id names it in the data; label says what is to be seen,
 * and is no markup. */
void chart_open(html_page_t *page, const char *id, const char *label);
void chart_close(html_page_t *page);

/* A plot: css: "tall", "low", ...; height: of its viewBox. */
void chart_plot_open(html_page_t *page, const chart_columns_t *columns, const char *css,
                     double height);
void chart_plot_close(html_page_t *page);

/* The times below a chart. */
void chart_times(html_page_t *page);

/* What is lower than the least that can be seen and isn't 0 is drawn as that. */
typedef struct {
    double maximum; /* of the values; NAN or 0: there is none */
    double height;
    double least;
} chart_scale_t;

/* How high a value is, up to the height; 0 if it is none. */
double chart_height(const chart_scale_t *scale, double value);

/* A path in steps through values, of which NAN is 0; filled down to the bottom, or a line. */
void chart_steps(html_page_t *page, const char *css, const double *values, size_t count,
                 const chart_scale_t *scale, bool filled);

/* Bars of each column that isn't 0, on top of others; bases may be NULL. */
void chart_bars(html_page_t *page, const char *css, const double *values, const double *bases,
                size_t count, const chart_scale_t *scale);

typedef struct {
    struct timespec from;
    struct timespec to;
} chart_span_t;

/* Bars from times to others, in their order, of the whole height; those that are next to each other
 * are joined. */
void chart_spans(html_page_t *page, const chart_columns_t *columns, const char *css,
                 const chart_span_t *spans, size_t count, double height);

/* A number of at most 2 decimals; 0 for what is no number. */
void chart_number(FILE *out, double value);

/* ---- the data ---- */

/* Begins the data of a chart. */
void chart_data_open(html_page_t *page, const char *id, const char *name,
                     const chart_columns_t *columns);
void chart_data_close(html_page_t *page);

/* One series: a name, a unit ("", "/s", "s"), and a number for each column; NAN is null. */
void chart_data_series(html_page_t *page, const char *name, const char *unit, const double *values,
                       size_t count);

/* The largest of them that is a number; 0: none. */
double chart_maximum(const double *values, size_t count);

#endif
