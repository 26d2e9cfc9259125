/* Charts of the most important streams. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/plural.h"
#include "monitor/view/report/html/html_heat.h"
#include "monitor/view/report/html/html_lines.h"

enum { HEIGHT = 100, LOSS_HEIGHT = 40, LEAST = 1, LEAST_LOSS = 6 };

static void write_rates(html_page_t *page, const report_stream_t *stream,
                        const stream_lines_t *lines)
{
    const size_t count = lines->columns.count;
    const double pushed = chart_maximum(lines->values[LINE_PUSH_RATE], count);
    const double received = chart_maximum(lines->values[LINE_RECEIVE_RATE], count);
    const chart_scale_t scale = {
        .maximum = fmax(pushed, received), .height = HEIGHT, .least = LEAST};
    fputs("<p class=\"lane\">", page->out);
    if (stream->publisher_count > 0) {
        fputs("<span class=\"key k-push\">pushed, at most ", page->out);
        html_rate(page, pushed);
        fputs("</span> ", page->out);
    }
    if (stream->subscription_count > 0) {
        fputs("<span class=\"key k-recv\">received, at most ", page->out);
        html_rate(page, received);
        fputs("</span>", page->out);
    }
    fputs("</p>\n", page->out);
    chart_plot_open(page, &lines->columns, "middle", HEIGHT);
    if (stream->publisher_count > 0)
        chart_steps(page, "push", lines->values[LINE_PUSH_RATE], count, &scale, true);
    if (stream->subscription_count > 0)
        chart_steps(page, "recv", lines->values[LINE_RECEIVE_RATE], count, &scale, false);
    chart_plot_close(page);
}

static void write_losses(html_page_t *page, const report_stream_t *stream,
                         const stream_lines_t *lines)
{
    const size_t count = lines->columns.count;
    const chart_scale_t scale = {.maximum = chart_maximum(lines->values[LINE_LOST], count),
                                 .height = LOSS_HEIGHT,
                                 .least = LEAST_LOSS};
    if (!(scale.maximum > 0))
        return;
    fputs("<p class=\"lane\"><span class=\"key k-lost\">", page->out);
    html_lost(page, stream->lost, stream->lost_is_minimum, stream->lost_is_derived);
    fputs(" lost</span>", page->out);
    if (stream->lost_in_outage > 0) {
        fputs(" <span class=\"key k-outage\">", page->out);
        html_count(page, stream->lost_in_outage);
        fputs(" of them in an outage</span>", page->out);
    }
    fputs("</p>\n", page->out);
    chart_plot_open(page, &lines->columns, "low", LOSS_HEIGHT);
    chart_bars(page, "lost", lines->values[LINE_OVERFLOW], NULL, count, &scale);
    chart_bars(page, "outage", lines->values[LINE_LOST_IN_OUTAGE], lines->values[LINE_OVERFLOW],
               count, &scale);
    chart_plot_close(page);
}

static void write_data(html_page_t *page, const char *id, const char *name,
                       const stream_lines_t *lines)
{
    static const struct {
        line_t line;
        const char *name;
        const char *unit;
    } series[] = {{LINE_PUSH_RATE, "pushed", "/s"},
                  {LINE_RECEIVE_RATE, "received", "/s"},
                  {LINE_PUSHED, "events pushed", ""},
                  {LINE_RECEIVED, "events received", ""},
                  {LINE_LOST, "lost", ""},
                  {LINE_LOST_IN_OUTAGE, "of these in an outage", ""}};
    char *plain = html_plain(page, name);
    chart_data_open(page, id, plain, &lines->columns);
    for (size_t i = 0; i < sizeof series / sizeof *series; i++)
        chart_data_series(page, series[i].name, series[i].unit, lines->values[series[i].line],
                          lines->columns.count);
    chart_data_close(page);
    free(plain);
}

/* The row whose durations are the most interesting: the slowest. NULL: none has any. */
static const report_row_t *slowest(const html_page_t *page, const report_stream_t *stream,
                                   report_duration_t duration)
{
    const report_row_t *found = NULL;
    const size_t first =
        duration == REPORT_PUSH ? stream->first_publisher : stream->first_subscription;
    const size_t count =
        duration == REPORT_PUSH ? stream->publisher_count : stream->subscription_count;
    for (size_t i = 0; i < count; i++) {
        const report_row_t *row = page->report->stream_rows[first + i];
        if (heat_is_known(&row->cells[duration]) &&
            (!found ||
             row->percentiles[duration].percentile_99 > found->percentiles[duration].percentile_99))
            found = row;
    }
    return found;
}

static void write_heat(html_page_t *page, const report_stream_t *stream, const char *id)
{
    static const report_duration_t shown[] = {REPORT_LATENCY, REPORT_PROCESSING};
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        const report_row_t *row = slowest(page, stream, shown[i]);
        if (!row)
            continue;
        char *chart = memory_format("%s-%s", id, heat_id(shown[i]));
        char *name = stream->subscription_count > 1
                         ? memory_format("%s (slowest subscriber)", heat_name(shown[i]))
                         : memory_string(heat_name(shown[i]));
        heat_write(page, chart, name, stream->name, &page->report->stream_axis,
                   (page->limits->card_columns + 1) / 2, &row->cells[shown[i]],
                   &row->percentiles[shown[i]]);
        free(name);
        free(chart);
    }
}

static void write_who(html_page_t *page, const report_stream_t *stream)
{
    const report_t *report = page->report;
    fputs("<p class=\"who\">", page->out);
    if (stream->publisher_count > 0)
        html_name(page, html_server(page, report->stream_rows[stream->first_publisher]->server));
    else
        fputs("a publisher that isn't watched", page->out);
    if (stream->publisher_count > 1)
        fprintf(page->out, " and %zu more", stream->publisher_count - 1);
    fputs(" \xe2\x86\x92 ", page->out);
    if (stream->subscription_count == 1)
        html_name(page, html_server(page, report->stream_rows[stream->first_subscription]->server));
    else if (stream->subscription_count == 0)
        fputs("nobody who is watched", page->out);
    else
        fprintf(page->out, "%zu subscribers", stream->subscription_count);
    if (stream->findings > 0)
        fprintf(page->out, ", %zu finding%s", stream->findings, PLURAL(stream->findings));
    fputs("</p>\n", page->out);
}

static void write_card(html_page_t *page, size_t number)
{
    const report_stream_t *stream = &page->report->streams[number];
    stream_lines_t lines = stream_lines(page, stream, page->limits->card_columns);
    char *id = memory_format("stream-%zu", number);
    char *label = memory_format("Events per second and losses of %s", stream->name);
    fputs("<article class=\"card\"><h3>", page->out);
    html_name(page, stream->name);
    fputs("</h3>\n", page->out);
    write_who(page, stream);
    chart_open(page, id, label);
    write_rates(page, stream, &lines);
    write_losses(page, stream, &lines);
    chart_close(page);
    write_data(page, id, stream->name, &lines);
    write_heat(page, stream, id);
    chart_times(page);
    fputs("</article>\n", page->out);
    free(label);
    free(id);
    stream_lines_clear(&lines);
}

void html_streams(html_page_t *page)
{
    const report_t *report = page->report;
    const size_t count =
        report->stream_count < page->limits->cards ? report->stream_count : page->limits->cards;
    if (count == 0)
        return;
    html_section_open(page, "charts", "Streams");
    if (count < report->stream_count)
        fprintf(page->out,
                "<p class=\"note\">These %zu of %zu streams lost most, or have most events. The "
                "<a href=\"#streams\">table</a> has the others.</p>\n",
                count, report->stream_count);
    fputs("<div class=\"cards\">\n", page->out);
    for (size_t i = 0; i < count; i++)
        write_card(page, i);
    fputs("</div>\n", page->out);
    html_section_close(page);
}
