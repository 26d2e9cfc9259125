/* What is drawn elsewhere, as numbers: tables, which the script lets sort and filter. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/timespec.h"
#include "monitor/view/report/html/html_lines.h"
#include "monitor/view/text/duration_text.h"
#include "response/response.h"

/* A column: its heading, and what it means, if that needs saying. */
typedef struct {
    const char *heading;
    const char *meaning; /* or NULL */
    bool is_number;
} heading_t;

/* Whether anything was measured; if not, nothing has a column for it, which would be a table's last
 * ones. */
static bool has_durations(const html_page_t *page)
{
    return page->report->percentiles[REPORT_LATENCY].count > 0 ||
           page->report->percentiles[REPORT_PROCESSING].count > 0;
}

/* caption: for those who can't see it. */
static void table_open(html_page_t *page, const char *id, const char *caption,
                       const heading_t *headings, size_t count)
{
    fprintf(page->out,
            "<div class=\"wrap\" id=\"w-%s\" role=\"region\" aria-label=\"%s\" tabindex=\"0\">"
            "<table id=\"t-%s\"><thead><tr>",
            id, caption, id);
    for (size_t i = 0; i < count; i++) {
        fprintf(page->out, "<th scope=\"col\"%s", headings[i].is_number ? " class=\"n\"" : "");
        if (headings[i].meaning)
            fprintf(page->out, " title=\"%s\"", headings[i].meaning);
        fprintf(page->out, ">%s", headings[i].heading);
    }
    fputs("</thead><tbody>\n", page->out);
}

static void table_close(html_page_t *page)
{
    fputs("</tbody></table></div>\n", page->out);
}

/* ---- cells ---- */

static void name_cell(html_page_t *page, const char *name)
{
    fputs("<td class=l>", page->out);
    html_name(page, name);
}

static void count_cell(html_page_t *page, int64_t count)
{
    fputs("<td>", page->out);
    html_count(page, count);
}

static void lost_cell(html_page_t *page, int64_t lost, bool is_minimum, bool is_derived)
{
    fputs(lost > 0 ? "<td class=bad>" : "<td>", page->out);
    html_lost(page, lost, is_minimum && lost > 0, is_derived);
}

static void duration_cell(html_page_t *page, const report_percentiles_t *percentiles,
                          double seconds)
{
    fputs("<td>", page->out);
    html_duration(page, percentiles->count > 0 ? seconds : NAN);
}

static void time_cell(html_page_t *page, const struct timespec *time)
{
    fputs("<td>", page->out);
    html_time(page, time);
}

static void rate_cell(html_page_t *page, double rate)
{
    fputs("<td>", page->out);
    html_rate(page, rate);
}

static size_t at_most(size_t count, size_t most)
{
    return count < most ? count : most;
}

/* ---- streams ---- */

/* The worst of its subscribers; its count is 0 if none has measured anything. */
static report_percentiles_t worst(const html_page_t *page, const report_stream_t *stream,
                                  report_duration_t duration)
{
    report_percentiles_t found = {.percentile_99 = NAN};
    for (size_t i = 0; i < stream->subscription_count; i++) {
        const report_percentiles_t *one =
            &page->report->stream_rows[stream->first_subscription + i]->percentiles[duration];
        if (one->count > 0 && !(found.percentile_99 >= one->percentile_99))
            found = *one;
    }
    return found;
}

static double highest_rate(const html_page_t *page, const report_stream_t *stream)
{
    double rate = 0;
    for (size_t i = 0; i < stream->publisher_count; i++)
        rate = fmax(rate, page->report->stream_rows[stream->first_publisher + i]->rate);
    for (size_t i = 0; i < stream->subscription_count && stream->publisher_count == 0; i++)
        rate = fmax(rate, page->report->stream_rows[stream->first_subscription + i]->rate);
    return rate;
}

static void write_publisher(html_page_t *page, const report_stream_t *stream)
{
    const size_t server = stream->publisher_count > 0
                              ? page->report->stream_rows[stream->first_publisher]->server
                              : REPORT_NONE;
    name_cell(page, html_server(page, server));
}

static void write_stream(html_page_t *page, const report_stream_t *stream, bool has_spark)
{
    const report_percentiles_t latency = worst(page, stream, REPORT_LATENCY);
    const report_percentiles_t processing = worst(page, stream, REPORT_PROCESSING);
    fputs("<tr>", page->out);
    name_cell(page, stream->name);
    fputs("<td class=l>", page->out);
    if (has_spark)
        stream_lines_spark(page, stream);
    write_publisher(page, stream);
    count_cell(page, (int64_t)stream->subscription_count);
    count_cell(page, stream->pushed);
    count_cell(page, stream->received);
    lost_cell(page, stream->lost, stream->lost_is_minimum, stream->lost_is_derived);
    count_cell(page, stream->lost_in_outage);
    count_cell(page, stream->not_received);
    rate_cell(page, highest_rate(page, stream));
    if (has_durations(page)) {
        duration_cell(page, &latency, latency.percentile_99);
        duration_cell(page, &processing, processing.percentile_99);
    }
    putc('\n', page->out);
}

static void write_streams(html_page_t *page)
{
    static const heading_t headings[] = {
        {"Stream", NULL, false},
        {"Rate and losses", "over time", false},
        {"Publisher", NULL, false},
        {"Subscribers", "servers that are watched", true},
        {"Pushed", NULL, true},
        {"Received", "by all subscribers", true},
        {"Lost", "by all subscribers", true},
        {"In outages", "of these, pushed while the connection was down", true},
        {"Waiting", "pushed, and not received at the end", true},
        {"Highest rate", NULL, true},
        {"Latency 99\xc2\xa0%", "of the slowest subscriber", true},
        {"Processing 99\xc2\xa0%", "of the slowest subscriber", true},
    };
    const report_t *report = page->report;
    const size_t count = at_most(report->stream_count, page->limits->streams);
    if (report->stream_count == 0)
        return;
    html_section_open(page, "streams", "All streams");
    table_open(page, "streams", "All streams", headings,
               sizeof headings / sizeof *headings - (has_durations(page) ? 0 : 2));
    for (size_t i = 0; i < count; i++)
        write_stream(page, &report->streams[i],
                     i < page->limits->sparks && page->limits->spark_columns > 0);
    table_close(page);
    html_left_out(page, report->stream_count - count + report->streams_left_out, "stream");
    html_section_close(page);
}

/* ---- subscriptions ---- */

static void write_subscription(html_page_t *page, const report_stream_t *stream,
                               const report_row_t *row)
{
    const report_percentiles_t *latency = &row->percentiles[REPORT_LATENCY];
    const report_percentiles_t *processing = &row->percentiles[REPORT_PROCESSING];
    fputs("<tr>", page->out);
    name_cell(page, stream->name);
    write_publisher(page, stream);
    name_cell(page, html_server(page, row->server));
    count_cell(page, row->sum.events);
    lost_cell(page, row->knows_lost ? row->sum.lost : RESPONSE_UNKNOWN, row->lost_is_minimum,
              row->is_derived);
    count_cell(page, row->sum.lost_in_outage);
    count_cell(page, row->sum.discarded);
    time_cell(page, &row->worst);
    if (has_durations(page)) {
        duration_cell(page, latency, latency->median);
        duration_cell(page, latency, latency->percentile_99);
        duration_cell(page, latency, latency->maximum);
        duration_cell(page, processing, processing->percentile_99);
        duration_cell(page, processing, processing->maximum);
    }
    putc('\n', page->out);
}

static bool has_subscriptions(const report_t *report)
{
    for (size_t i = 0; i < report->stream_count; i++)
        if (report->streams[i].subscription_count > 0)
            return true;
    return false;
}

static void write_subscriptions(html_page_t *page)
{
    static const heading_t headings[] = {
        {"Stream", NULL, false},
        {"Publisher", NULL, false},
        {"Subscriber", NULL, false},
        {"Received", NULL, true},
        {"Lost", NULL, true},
        {"In outages", "of these, pushed while the connection was down", true},
        {"Discarded", "taken for duplicates", true},
        {"Most lost at", NULL, true},
        {"Latency 50\xc2\xa0%", NULL, true},
        {"99\xc2\xa0%", "of the latency", true},
        {"Maximum", "of the latency", true},
        {"Processing 99\xc2\xa0%", NULL, true},
        {"Maximum", "of the processing", true},
    };
    const report_t *report = page->report;
    size_t left_out = 0;
    size_t written = 0;
    if (!has_subscriptions(report))
        return;
    html_section_open(page, "subscriptions", "Subscriptions");
    table_open(page, "subscriptions", "Subscriptions", headings,
               sizeof headings / sizeof *headings - (has_durations(page) ? 0 : 5));
    for (size_t i = 0; i < report->stream_count; i++) {
        const report_stream_t *stream = &report->streams[i];
        for (size_t j = 0; j < stream->subscription_count; j++) {
            if (written < page->limits->subscriptions) {
                write_subscription(page, stream,
                                   report->stream_rows[stream->first_subscription + j]);
                written++;
            } else {
                left_out++;
            }
        }
    }
    table_close(page);
    html_left_out(page, left_out, "subscription");
    html_section_close(page);
}

/* ---- servers ---- */

static void write_server(html_page_t *page, const report_server_t *server)
{
    fputs("<tr>", page->out);
    name_cell(page, html_server_name(page, server->name));
    fputs(server->fails ? "<td class=\"l bad\">doesn't answer" : "<td class=l>answers", page->out);
    count_cell(page, server->polls);
    fputs(server->failures > 0 ? "<td class=bad>" : "<td>", page->out);
    html_count(page, server->failures);
    fputs("<td>", page->out);
    html_duration(page, server->failed_seconds > 0 ? server->failed_seconds : NAN);
    fputs(server->restarts > 0 ? "<td class=bad>" : "<td>", page->out);
    html_count(page, server->restarts);
    time_cell(page, &server->first);
    time_cell(page, &server->last);
    name_cell(page, server->source);
    char *agent =
        server->late_since
            ? memory_format("%s, %s", server->agent_version ? server->agent_version : "agent",
                            server->late_since)
            : memory_string(server->agent_version);
    name_cell(page, agent);
    free(agent);
    name_cell(page, server->tango_version);
    name_cell(page, server->error);
    putc('\n', page->out);
}

/* Servers with trouble first. */
static int compare_servers(const void *a, const void *b)
{
    const report_server_t *left = *(const report_server_t *const *)a;
    const report_server_t *right = *(const report_server_t *const *)b;
    if (left->fails != right->fails)
        return left->fails ? -1 : 1;
    if (left->failures != right->failures)
        return left->failures < right->failures ? 1 : -1;
    if (left->restarts != right->restarts)
        return left->restarts < right->restarts ? 1 : -1;
    return strcmp(left->name, right->name);
}

static void write_servers(html_page_t *page)
{
    static const heading_t headings[] = {
        {"Server", NULL, false},
        {"At the end", NULL, false},
        {"Polls", NULL, true},
        {"Not answered", "polls", true},
        {"For", "how long it didn't answer, in all", true},
        {"Restarts", NULL, true},
        {"First answer", NULL, true},
        {"Last answer", NULL, true},
        {"Counted by", NULL, false},
        {"Agent", "its version", false},
        {"cppTango", "its version", false},
        {"Last error", NULL, false},
    };
    const report_t *report = page->report;
    const size_t count = at_most(report->server_count, page->limits->servers);
    const report_server_t **servers =
        malloc((report->server_count + 1) * sizeof(const report_server_t *));
    if (!servers)
        return;
    for (size_t i = 0; i < report->server_count; i++)
        servers[i] = &report->servers[i];
    qsort(servers, report->server_count, sizeof *servers, compare_servers);
    html_section_open(page, "servers", "Servers");
    table_open(page, "servers", "Servers", headings, sizeof headings / sizeof *headings);
    for (size_t i = 0; i < count; i++)
        write_server(page, servers[i]);
    table_close(page);
    html_left_out(page, report->server_count - count + report->servers_left_out, "server");
    html_section_close(page);
    free(servers);
}

/* ---- minutes and incidents ---- */

static void write_minutes(html_page_t *page)
{
    static const heading_t headings[] = {
        {"From", NULL, true},
        {"Lost", NULL, true},
        {"Lost most", "the stream that lost most of it", false},
        {"Pushed", NULL, true},
        {"Received", NULL, true},
        {"Not answered", "polls of a server", true},
        {"Restarts", NULL, true},
        {"Latency", "the highest 99th percentile", true},
        {"Processing", "the highest 99th percentile", true},
    };
    const report_t *report = page->report;
    const size_t count = at_most(report->minute_count, page->limits->minutes);
    if (count == 0)
        return;
    html_section_open(page, "minutes", "Worst minutes");
    table_open(page, "minutes", "Worst minutes", headings,
               sizeof headings / sizeof *headings - (has_durations(page) ? 0 : 2));
    for (size_t i = 0; i < count; i++) {
        const report_minute_t *minute = &report->minutes[i];
        fputs("<tr>", page->out);
        time_cell(page, &minute->begin);
        lost_cell(page, minute->lost, false, false);
        name_cell(page, minute->stream);
        count_cell(page, minute->pushed);
        count_cell(page, minute->received);
        count_cell(page, minute->failures);
        count_cell(page, minute->restarts);
        if (has_durations(page)) {
            fputs("<td>", page->out);
            html_duration(page, (double)minute->latency);
            fputs("<td>", page->out);
            html_duration(page, (double)minute->processing);
        }
        putc('\n', page->out);
    }
    table_close(page);
    html_left_out(page, report->minute_count - count, "minute");
    html_section_close(page);
}

static void write_incident(html_page_t *page, const report_incident_t *incident)
{
    char *lasted = duration_text(timespec_seconds_between(&incident->begin, &incident->end), 0);
    fprintf(page->out, "<tr><td class=l>%s", incident_kind_name(incident->kind));
    time_cell(page, &incident->begin);
    time_cell(page, &incident->end);
    fprintf(page->out, "<td>%s%s", lasted, incident->lasts ? " and more" : "");
    name_cell(page, incident->server == REPORT_NONE ? "" : html_server(page, incident->server));
    name_cell(page, incident->text);
    putc('\n', page->out);
    free(lasted);
}

static void write_incidents(html_page_t *page)
{
    static const heading_t headings[] = {
        {"What", NULL, false},
        {"From", "the last time that all was well", true},
        {"To", "the first time that it was so again", true},
        {"For", NULL, true},
        {"Server", NULL, false},
        {"Why", NULL, false},
    };
    const report_t *report = page->report;
    const size_t count = at_most(report->incident_count, page->limits->incidents);
    if (count == 0)
        return;
    html_section_open(page, "incidents", "Restarts, outages and gaps");
    table_open(page, "incidents", "Restarts, outages and gaps", headings,
               sizeof headings / sizeof *headings);
    for (size_t i = 0; i < count; i++)
        write_incident(page, &report->incidents[i]);
    table_close(page);
    html_left_out(page, report->incident_count - count + report->incidents_left_out, "incident");
    html_section_close(page);
}

void html_tables(html_page_t *page)
{
    write_minutes(page);
    write_incidents(page);
    write_streams(page);
    write_subscriptions(page);
    write_servers(page);
}
