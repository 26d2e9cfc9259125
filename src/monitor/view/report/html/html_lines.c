#include "monitor/view/report/html/html_lines.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

static void add_row(stream_lines_t *self, const report_row_t *row)
{
    const line_t rate = row->is_published ? LINE_PUSH_RATE : LINE_RECEIVE_RATE;
    const line_t events = row->is_published ? LINE_PUSHED : LINE_RECEIVED;
    for (size_t i = 0; i < row->point_count; i++) {
        const report_point_t *point = &row->points[i];
        const size_t at = i / self->columns.fold;
        if (at >= self->columns.count)
            break;
        self->values[rate][at] = fmax(self->values[rate][at], (double)point->rate);
        self->values[events][at] += point->events;
        self->values[LINE_LOST][at] += point->lost;
        self->values[LINE_LOST_IN_OUTAGE][at] += point->lost_in_outage;
        self->values[LINE_OVERFLOW][at] +=
            point->lost > point->lost_in_outage ? point->lost - point->lost_in_outage : 0;
    }
}

stream_lines_t stream_lines(const html_page_t *page, const report_stream_t *stream, size_t most)
{
    const report_t *report = page->report;
    stream_lines_t self = {.columns = chart_columns(page, &report->stream_axis, most)};
    for (size_t line = 0; line < LINES; line++)
        self.values[line] = memory_new(self.columns.count, sizeof(double));
    for (size_t i = 0; i < stream->publisher_count; i++)
        add_row(&self, report->stream_rows[stream->first_publisher + i]);
    for (size_t i = 0; i < stream->subscription_count; i++)
        add_row(&self, report->stream_rows[stream->first_subscription + i]);
    return self;
}

void stream_lines_clear(stream_lines_t *self)
{
    for (size_t line = 0; line < LINES; line++)
        free(self->values[line]);
}

void stream_lines_spark(html_page_t *page, const report_stream_t *stream)
{
    enum { HEIGHT = 20, LEAST = 1, LEAST_LOSS = 5 };
    stream_lines_t self = stream_lines(page, stream, page->limits->spark_columns);
    const size_t count = self.columns.count;
    const double *rates =
        self.values[stream->publisher_count > 0 ? LINE_PUSH_RATE : LINE_RECEIVE_RATE];
    const chart_scale_t scale = {
        .maximum = chart_maximum(rates, count), .height = HEIGHT, .least = LEAST};
    const chart_scale_t losses = {.maximum = chart_maximum(self.values[LINE_LOST], count),
                                  .height = HEIGHT,
                                  .least = LEAST_LOSS};
    chart_plot_open(page, &self.columns, "spark", HEIGHT);
    chart_steps(page, "push", rates, count, &scale, true);
    chart_bars(page, "lost", self.values[LINE_LOST], NULL, count, &losses);
    chart_plot_close(page);
    stream_lines_clear(&self);
}
