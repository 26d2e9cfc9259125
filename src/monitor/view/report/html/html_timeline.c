/* The time line: events, losses, failures, restarts, gaps and findings of everything, on one axis.
 */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "monitor/analysis/findings/rules.h"
#include "monitor/view/report/html/html_chart.h"
#include "monitor/view/text/duration_text.h"

/* Heights of plots, in units of their own. */
enum { TALL = 200, LOW = 60, LANE = 10, LEAST_RATE = 1, LEAST_LOSS = 6 };

enum { SPANS = 8 }; /* findings with a lane */

/* What each column of the chart has. */
typedef enum {
    PUSH_RATE,
    RECEIVE_RATE,
    PUSHED,
    RECEIVED,
    LOST,
    LOST_IN_OUTAGE,
    OVERFLOW,
    LATENCY,
    PROCESSING,
    FAILURES,
    RESTARTS,
    FINDINGS,
    POLLS,
    KINDS
} kind_t;

typedef struct {
    chart_columns_t columns;
    double *values[KINDS]; /* columns.count each */
    chart_span_t *gaps;
    size_t gap_count;
} lines_t;

static void add(double *sum, double value)
{
    *sum += value > 0 ? value : 0;
}

static void raise(double *maximum, double value)
{
    *maximum = fmax(*maximum, value); /* which ignores NAN */
}

static void add_column(lines_t *self, size_t at, const report_column_t *column)
{
    raise(&self->values[PUSH_RATE][at], (double)column->push_rate);
    raise(&self->values[RECEIVE_RATE][at], (double)column->receive_rate);
    raise(&self->values[LATENCY][at], (double)column->latency);
    raise(&self->values[PROCESSING][at], (double)column->processing);
    raise(&self->values[FINDINGS][at], column->findings);
    add(&self->values[PUSHED][at], (double)column->pushed);
    add(&self->values[RECEIVED][at], (double)column->received);
    add(&self->values[LOST][at], (double)column->lost);
    add(&self->values[LOST_IN_OUTAGE][at], (double)column->lost_in_outage);
    add(&self->values[OVERFLOW][at], (double)(column->lost - column->lost_in_outage));
    add(&self->values[FAILURES][at], column->failures);
    add(&self->values[RESTARTS][at], column->restarts);
    add(&self->values[POLLS][at], column->polls);
}

static void add_gaps(lines_t *self, const report_t *report)
{
    self->gaps = memory_new(report->incident_count, sizeof *self->gaps);
    for (size_t i = 0; i < report->incident_count; i++) {
        const report_incident_t *incident = &report->incidents[i];
        if (incident->kind == INCIDENT_GAP)
            self->gaps[self->gap_count++] =
                (chart_span_t){.from = incident->begin, .to = incident->end};
    }
}

static lines_t lines_of(const html_page_t *page)
{
    const report_t *report = page->report;
    lines_t self = {.columns = chart_columns(page, &report->axis, page->limits->columns)};
    for (size_t kind = 0; kind < KINDS; kind++) {
        const bool has_none =
            kind == PUSH_RATE || kind == RECEIVE_RATE || kind == LATENCY || kind == PROCESSING;
        self.values[kind] = memory_new(self.columns.count, sizeof(double));
        for (size_t i = 0; i < self.columns.count; i++)
            self.values[kind][i] = has_none ? NAN : 0;
    }
    for (size_t i = 0; i < report->axis.count; i++)
        add_column(&self, i / self.columns.fold, &report->columns[i]);
    add_gaps(&self, report);
    return self;
}

static void lines_clear(lines_t *self)
{
    for (size_t kind = 0; kind < KINDS; kind++)
        free(self->values[kind]);
    free(self->gaps);
}

/* ---- lanes ---- */

static void label_open(html_page_t *page, const char *heading)
{
    fprintf(page->out, "<p class=\"lane\"><b>%s</b> ", heading);
}

static void label_close(html_page_t *page)
{
    fputs("</p>\n", page->out);
}

/* Where nothing was recorded: behind everything. */
static void write_gaps(html_page_t *page, const lines_t *self, double height)
{
    chart_spans(page, &self->columns, "gap", self->gaps, self->gap_count, height);
}

static void write_rates(html_page_t *page, const lines_t *self)
{
    const size_t count = self->columns.count;
    const double pushed = chart_maximum(self->values[PUSH_RATE], count);
    const double received = chart_maximum(self->values[RECEIVE_RATE], count);
    const chart_scale_t scale = {
        .maximum = fmax(pushed, received), .height = TALL, .least = LEAST_RATE};
    label_open(page, "Events per second");
    fputs("<span class=\"key k-push\">pushed, at most ", page->out);
    html_rate(page, pushed);
    fputs("</span> <span class=\"key k-recv\">received, at most ", page->out);
    html_rate(page, received);
    fputs("</span>", page->out);
    label_close(page);
    chart_plot_open(page, &self->columns, "tall", TALL);
    write_gaps(page, self, TALL);
    chart_steps(page, "push", self->values[PUSH_RATE], count, &scale, true);
    chart_steps(page, "recv", self->values[RECEIVE_RATE], count, &scale, false);
    chart_plot_close(page);
}

static void write_losses(html_page_t *page, const lines_t *self)
{
    const report_t *report = page->report;
    const size_t count = self->columns.count;
    const double maximum = chart_maximum(self->values[LOST], count);
    const chart_scale_t scale = {.maximum = maximum, .height = LOW, .least = LEAST_LOSS};
    label_open(page, "Lost events");
    if (!report->knows_lost) {
        fputs("<span class=\"none\">not known: no server counts them</span>", page->out);
    } else if (report->received.lost == 0) {
        fputs("<span class=\"none\">none</span>", page->out);
    } else {
        fputs("<span class=\"key k-lost\">queues overflowed</span> "
              "<span class=\"key k-outage\">in an outage</span> <span>in all ",
              page->out);
        html_lost(page, report->received.lost, report->lost_is_minimum, report->lost_is_derived);
        fputs(", at most ", page->out);
        html_count(page, (int64_t)maximum);
        fputs(" at a time</span>", page->out);
    }
    label_close(page);
    if (maximum <= 0)
        return;
    chart_plot_open(page, &self->columns, "low", LOW);
    write_gaps(page, self, LOW);
    chart_bars(page, "lost", self->values[OVERFLOW], NULL, count, &scale);
    chart_bars(page, "outage", self->values[LOST_IN_OUTAGE], self->values[OVERFLOW], count, &scale);
    chart_plot_close(page);
}

/* Marks of the columns that have any. */
static void write_marks(html_page_t *page, const lines_t *self, kind_t kind, const char *css)
{
    const chart_scale_t scale = {.maximum = 1, .height = LANE, .least = LANE};
    chart_plot_open(page, &self->columns, "thin", LANE);
    chart_bars(page, css, self->values[kind], NULL, self->columns.count, &scale);
    chart_plot_close(page);
}

static void write_restarts(html_page_t *page, const lines_t *self)
{
    if (page->report->restarts == 0)
        return;
    label_open(page, "Restarts of servers");
    html_count(page, page->report->restarts);
    label_close(page);
    write_marks(page, self, RESTARTS, "restart");
}

static void write_failures(html_page_t *page, const lines_t *self)
{
    double failures = 0;
    for (size_t i = 0; i < self->columns.count; i++)
        failures += self->values[FAILURES][i];
    if (failures <= 0)
        return;
    label_open(page, "Servers that didn't answer");
    html_count(page, (int64_t)failures);
    fputs(failures > 1 ? " times" : " time", page->out);
    label_close(page);
    write_marks(page, self, FAILURES, "fail");
}

static void write_gap_lane(html_page_t *page, const lines_t *self)
{
    if (!(page->report->gap_seconds > 0))
        return;
    label_open(page, "Nothing recorded");
    char *gap = duration_text(page->report->gap_seconds, 0);
    fputs(gap, page->out);
    free(gap);
    label_close(page);
    chart_plot_open(page, &self->columns, "thin", LANE);
    write_gaps(page, self, LANE);
    chart_plot_close(page);
}

static void write_spans(html_page_t *page, const lines_t *self)
{
    const report_t *report = page->report;
    const size_t most = page->limits->findings < SPANS ? page->limits->findings : SPANS;
    size_t shown = 0;
    for (size_t i = 0; i < report->finding_count && shown < most; i++, shown++) {
        const finding_t *finding = report->findings[i];
        const char *severity = severity_name(finding->severity);
        fprintf(page->out, "<p class=\"lane span\"><a href=\"#f-%s\"><i class=\"sign %s\"></i>",
                finding->identity, severity);
        html_text(page, finding->text);
        fputs("</a></p>\n", page->out);
        chart_plot_open(page, &self->columns, "thin", LANE);
        const chart_span_t span = {.from = finding->first, .to = finding->seen};
        chart_spans(page, &self->columns, severity, &span, 1, LANE);
        chart_plot_close(page);
    }
    html_left_out(page, report->finding_count - shown + report->findings_left_out, "finding");
}

/* ---- the whole ---- */

static void write_data(html_page_t *page, const lines_t *self)
{
    static const struct {
        kind_t kind;
        const char *name;
        const char *unit;
    } series[] = {{PUSH_RATE, "pushed", "/s"},
                  {RECEIVE_RATE, "received", "/s"},
                  {PUSHED, "events pushed", ""},
                  {RECEIVED, "events received", ""},
                  {LOST, "lost", ""},
                  {LOST_IN_OUTAGE, "of these in an outage", ""},
                  {LATENCY, "latency, 99 %", "s"},
                  {PROCESSING, "processing, 99 %", "s"},
                  {FAILURES, "answers missing", ""},
                  {RESTARTS, "restarts", ""},
                  {FINDINGS, "findings", ""},
                  {POLLS, "polls", ""}};
    chart_data_open(page, "timeline", "everything", &self->columns);
    for (size_t i = 0; i < sizeof series / sizeof *series; i++)
        chart_data_series(page, series[i].name, series[i].unit, self->values[series[i].kind],
                          self->columns.count);
    chart_data_close(page);
}

void html_timeline(html_page_t *page)
{
    html_section_open(page, "timeline", "Time line");
    if (page->report->axis.count == 0) {
        fputs("<p>Nothing was recorded.</p>\n", page->out);
        html_section_close(page);
        return;
    }
    lines_t lines = lines_of(page);
    chart_open(page, "timeline",
               "Time line of events per second, lost events, restarts, servers that didn't answer, "
               "and findings; the tables of worst minutes and of incidents have the same as text");
    write_rates(page, &lines);
    write_losses(page, &lines);
    write_restarts(page, &lines);
    write_failures(page, &lines);
    write_gap_lane(page, &lines);
    write_spans(page, &lines);
    chart_times(page);
    chart_close(page);
    write_data(page, &lines);
    lines_clear(&lines);
    html_section_close(page);
}
