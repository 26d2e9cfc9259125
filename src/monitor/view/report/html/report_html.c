#include "monitor/view/report/html/report_html.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/timespec.h"
#include "monitor/view/report/html/html_levels.h"
#include "monitor/view/report/html/html_page.h"
#include "response/names.h"

/* report.js and report.css; see cmake/embed.cmake. */
extern const unsigned char embedded_report_js[];
extern const size_t embedded_report_js_size;
extern const char embedded_report_js_sha256[];
extern const unsigned char embedded_report_css[];
extern const size_t embedded_report_css_size;
extern const char embedded_report_css_sha256[];

/* ---- policy ---- */

/* Nothing but our own style and script, which nothing in the page can be. The web server adds
 * what browsers don't take from a page. */
static char *policy_of(bool is_served)
{
    return memory_format("default-src 'none'; style-src 'sha256-%s'; script-src 'sha256-%s'; "
                         "base-uri 'none'; form-action 'none'%s",
                         embedded_report_css_sha256, embedded_report_js_sha256,
                         is_served ? "; connect-src 'self'" : "");
}

static char *header_policy;

static void make_header_policy(void)
{
    header_policy = policy_of(true);
}

const char *report_html_policy(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_header_policy);
    return header_policy;
}

/* ---- head and foot ---- */

static void write_head(html_page_t *page)
{
    const bool is_served = page->options->refresh > 0;
    FILE *out = page->out;
    char *policy = policy_of(is_served);
    fprintf(out,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta http-equiv=\"Content-Security-Policy\" content=\"%s\">\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
            "<meta name=\"color-scheme\" content=\"light dark\">\n"
            "<meta name=\"referrer\" content=\"no-referrer\">\n",
            policy);
    free(policy);
    if (is_served)
        fprintf(out, "<noscript><meta http-equiv=\"refresh\" content=\"%.0f\"></noscript>\n",
                ceil(page->options->refresh));
    fputs("<title>", out);
    html_name(page, page->options->title);
    fputs("</title>\n<style>", out);
    fwrite(embedded_report_css, 1, embedded_report_css_size, out);
    fputs("</style>\n</head>\n<body>\n", out);
}

static void write_link(html_page_t *page, const char *path, const char *text)
{
    fputs(" <a href=\"", page->out);
    html_value(page, path);
    fprintf(page->out, "\">%s</a>", text);
}

static void write_foot(html_page_t *page, size_t level)
{
    fputs("<footer id=\"foot\" data-part>\n", page->out);
    if (level > 0)
        fprintf(page->out,
                "<p class=\"note\" id=\"reduced\">This page is kept below %.2g MB: the least "
                "important is left out, as each part says, and charts have fewer columns, of which "
                "each shows its highest rate and all that was lost.</p>\n",
                (double)page->options->bytes / 1e6);
    fputs("<p>Made by ska-tango-event-monitor.", page->out);
    if (page->options->metrics_path) {
        write_link(page, page->options->metrics_path, "Metrics");
        write_link(page, "/-/healthy", "healthy");
        write_link(page, "/-/ready", "ready");
    }
    fputs("</p>\n</footer>\n", page->out);
}

/* ---- data ---- */

static void open_data(html_page_t *page)
{
    const report_t *report = page->report;
    json_output_t *data = &page->data;
    json_output_open(data, NULL, '{');
    fprintf(data->out, "\"begin\":%lld.%03ld,", (long long)report->axis.begin.tv_sec,
            report->axis.begin.tv_nsec / 1000000);
    fprintf(data->out, "\"span\":%.3f", page->span);
    fprintf(data->out, ",\"offset\":%ld,\"every\":%.3f", page->offset,
            isfinite(page->options->refresh) ? page->options->refresh : 0);
    data->comma = true;
    json_output_open(data, "charts", '{');
}

/* JSON inside a script element: nothing may end the element, or begin a comment in it. */
static void write_json(FILE *out, const char *text, size_t size)
{
    enum { SEPARATOR_SIZE = 3 };
    for (size_t i = 0; i < size; i++) {
        const char c = text[i];
        const bool is_separator = size - i >= SEPARATOR_SIZE && c == '\xe2' &&
                                  text[i + 1] == '\x80' &&
                                  (text[i + 2] == '\xa8' || text[i + 2] == '\xa9');
        if (is_separator) {
            fprintf(out, "\\u202%c", text[i + 2] == '\xa8' ? '8' : '9');
            i += SEPARATOR_SIZE - 1;
        } else if (c == '<' || c == '>' || c == '&') {
            fprintf(out, "\\u%04x", (unsigned)c);
        } else {
            putc(c, out);
        }
    }
}

static void write_script(html_page_t *page, const char *data, size_t size)
{
    fputs("<script type=\"application/json\" id=\"data\">", page->out);
    write_json(page->out, data, size);
    fputs("</script>\n<script>", page->out);
    fwrite(embedded_report_js, 1, embedded_report_js_size, page->out);
    fputs("</script>\n</body>\n</html>\n", page->out);
}

/* ---- the whole ---- */

/* Up to a poll after the last one: the last column may end later. */
static double span_of(const report_t *report)
{
    const report_axis_t *axis = &report->axis;
    const double after = timespec_seconds_between(&axis->begin, &report->last) +
                         (report->period > 0 ? report->period : 0);
    const double columns = axis->width * (double)axis->count;
    const double span = after > columns - axis->width && after < columns ? after : columns;
    return isfinite(span) && span > 0 ? span : 1;
}

static long offset_of(const report_t *report)
{
    struct tm fields;
    return localtime_r(&report->first.tv_sec, &fields) ? fields.tm_gmtoff : 0;
}

/* The sections come first, since the head has links to them. */
static void write_body(html_page_t *page)
{
    FILE *out = page->out;
    char *sections = NULL;
    char *links = NULL;
    size_t sections_size = 0;
    size_t links_size = 0;
    page->out = memory_stream_open(&sections, &sections_size);
    page->nav = memory_stream_open(&links, &links_size);
    html_findings(page);
    html_timeline(page);
    html_heat_maps(page);
    html_streams(page);
    html_graph(page);
    html_tables(page);
    memory_stream_close(page->out);
    memory_stream_close(page->nav);
    page->out = out;
    html_summary(page);
    fputs("<nav id=\"nav\" data-part aria-label=\"On this page\">\n", out);
    fwrite(links, 1, links_size, out);
    fputs("</nav>\n<main>\n", out);
    fwrite(sections, 1, sections_size, out);
    fputs("</main>\n", out);
    free(sections);
    free(links);
}

/* What all streams begin with: "tango://host:port/". */
static void find_prefix(html_page_t *page)
{
    const report_t *report = page->report;
    for (size_t i = 0; i < report->stream_count; i++) {
        const report_stream_t *stream = &report->streams[i];
        const size_t size = (size_t)(stream->short_name - stream->name);
        if (i == 0) {
            page->prefix = stream->name;
            page->prefix_size = size;
        } else if (size != page->prefix_size || strncmp(stream->name, page->prefix, size) != 0) {
            page->prefix_size = 0;
        }
    }
}

static bool has_hosts(const report_t *report)
{
    for (size_t i = 1; i < report->server_count; i++) {
        const char *first = report->servers[0].name;
        const char *other = report->servers[i].name;
        const size_t size = names_prefix_length(first);
        if (names_prefix_length(other) != size || strncmp(first, other, size) != 0)
            return true;
    }
    return false;
}

/* The page at a level of detail. */
static char *write_level(const report_t *report, const report_html_options_t *options, size_t level,
                         size_t *size)
{
    char *text = NULL;
    char *data = NULL;
    size_t data_size = 0;
    const html_limits_t limits = html_limits(level);
    html_page_t page = {.report = report,
                        .options = options,
                        .limits = &limits,
                        .span = span_of(report),
                        .offset = offset_of(report)};
    page.out = memory_stream_open(&text, size);
    page.data.out = memory_stream_open(&data, &data_size);
    find_prefix(&page);
    page.has_hosts = has_hosts(report);
    open_data(&page);
    write_head(&page);
    write_body(&page);
    write_foot(&page, level);
    json_output_close(&page.data, '}');
    json_output_close(&page.data, '}');
    memory_stream_close(page.data.out);
    write_script(&page, data, data_size);
    memory_stream_close(page.out);
    free(data);
    return text;
}

void report_html_write(FILE *out, const report_t *self, const report_html_options_t *options)
{
    report_html_options_t complete = *options;
    if (complete.bytes == 0)
        complete.bytes = REPORT_HTML_BYTES;
    size_t level = 0;
    size_t size = 0;
    char *text = write_level(self, &complete, level, &size);
    while (size > complete.bytes && level + 1 < HTML_LEVELS) {
        free(text);
        level = html_level_after(level, (double)size / (double)complete.bytes);
        text = write_level(self, &complete, level, &size);
    }
    fwrite(text, 1, size, out);
    free(text);
}
