/*
 * html_page: what the parts of the page share: where it is written, how much of everything there is
 * room for, and how texts, numbers and times are written. Only for files of this folder.
 *
 * Whatever is drawn by the program is also in the page's data, as JSON, for the script.
 */
#ifndef STEM_HTML_PAGE_H
#define STEM_HTML_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "base/json_output.h"
#include "monitor/view/report/collect/report.h"
#include "monitor/view/report/html/report_html.h"

/* At most so many of each. */
typedef struct {
    size_t columns;      /* of the time line */
    size_t heat_columns; /* of heat maps of everything */
    size_t cards;        /* streams with charts of their own */
    size_t card_columns; /* of these charts */
    size_t spark_columns;
    size_t sparks; /* streams with a chart in their row */
    size_t streams;
    size_t subscriptions;
    size_t servers;
    size_t findings;
    size_t evidence; /* lines of a finding */
    size_t incidents;
    size_t minutes;
    size_t nodes;     /* of the graph, on each side */
    size_t name_size; /* bytes of a name */
    size_t text_size; /* of another text */
} html_limits_t;

typedef struct {
    FILE *out;
    const report_t *report;
    const report_html_options_t *options;
    const html_limits_t *limits;
    json_output_t data; /* an object with a member for each chart */
    FILE *nav;          /* links to the sections */
    const char *prefix; /* "tango://host:port/" that all streams have, which is left out of texts;
                           not terminated */
    size_t prefix_size; /* 0: they have several */
    bool has_hosts;     /* the servers' names have several */
    double span;        /* seconds from the left to the right of each chart; more than 0 */
    long offset; /* of local time, in seconds east of UTC: that of the beginning, throughout */
} html_page_t;

/* ---- text ---- */

/* Any text as content, or as a value in double quotes: printable, not too long, and without the
 * streams' common prefix; NULL: "". */
void html_text(html_page_t *page, const char *text);
void html_value(html_page_t *page, const char *text);

/* A name as content. */
void html_name(html_page_t *page, const char *name);

/* The same as a new string, which isn't escaped; the caller frees it. */
char *html_plain(const html_page_t *page, const char *name);

/* The name of a server, by its index in the report; what is not watched has none. */
const char *html_server(const html_page_t *page, size_t server);

/* A server's name as people say it: without "dserver/", and without "tango://host:port/" unless
 * servers have several. Inside name. */
const char *html_server_name(const html_page_t *page, const char *name);

/* "1,234,567", and a dash for what isn't known. */
void html_count(html_page_t *page, int64_t count);

/* ">=5*", as elsewhere. */
void html_lost(html_page_t *page, int64_t lost, bool is_minimum, bool is_derived);

/* "12.3 ms"; a dash for what isn't known. */
void html_duration(html_page_t *page, double seconds);

/* "12.3/s"; likewise. */
void html_rate(html_page_t *page, double rate);

/* The time of day, with the date unless all of the report is of that day; a dash for no time. */
void html_time(html_page_t *page, const struct timespec *time);

/* The date and the time of day. */
void html_date(html_page_t *page, const struct timespec *time);

/* "UTC+01:00". */
void html_offset(html_page_t *page);

/* ---- structure ---- */

/* A part of the page, which the script replaces when it has changed. */
void html_section_open(html_page_t *page, const char *id, const char *heading);
void html_section_close(html_page_t *page);

/* Says that so many aren't shown, unless it is 0. */
void html_left_out(html_page_t *page, size_t count, const char *what);

/* ---- parts ---- */

void html_summary(html_page_t *page);
void html_findings(html_page_t *page);
void html_timeline(html_page_t *page);
void html_heat_maps(html_page_t *page);
void html_streams(html_page_t *page);
void html_graph(html_page_t *page);
void html_tables(html_page_t *page);

#endif
