#include "monitor/view/report/html/html_heat.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "monitor/view/report/html/html_chart.h"
#include "monitor/view/text/value_text.h"

/* Two buckets of the report are a row here. */
enum { JOINED = 2, ROWS = (REPORT_BUCKETS + 1) / JOINED, LEVELS = 6, LEAST_ROWS = 8 };

typedef struct {
    chart_columns_t columns;
    uint64_t *counts;  /* by column, then row; from the shortest */
    size_t first, end; /* rows that are drawn */
    uint64_t maximum;
} heat_t;

const char *heat_id(report_duration_t duration)
{
    static const char *const ids[] = {"push", "latency", "processing"};
    return ids[duration];
}

const char *heat_name(report_duration_t duration)
{
    static const char *const names[] = {"Time in push_event()", "Latency", "Processing"};
    return names[duration];
}

bool heat_is_known(const report_cells_t *cells)
{
    return cells->count > 0;
}

static uint64_t *count_at(const heat_t *self, size_t column, size_t row)
{
    return &self->counts[column * ROWS + row];
}

/* Bucket 0 has a row of its own, as it has no lower bound. */
static size_t row_of(size_t bucket)
{
    const size_t row = (bucket + JOINED - 1) / JOINED;
    return row < ROWS ? row : ROWS - 1;
}

static void collect(heat_t *self, const report_cells_t *cells)
{
    self->first = ROWS;
    for (size_t i = 0; i < cells->count; i++) {
        const report_cell_t *cell = &cells->list[i];
        const size_t column = cell->column / self->columns.fold;
        const size_t row = row_of(cell->bucket);
        if (column >= self->columns.count)
            continue;
        uint64_t *count = count_at(self, column, row);
        *count += cell->count;
        if (*count > self->maximum)
            self->maximum = *count;
        if (row < self->first)
            self->first = row;
        if (row >= self->end)
            self->end = row + 1;
    }
}

/* Enough rows for the eye, around those that have events. */
static void widen(heat_t *self)
{
    while (self->end - self->first < LEAST_ROWS) {
        if (self->end < ROWS)
            self->end++;
        if (self->end - self->first < LEAST_ROWS && self->first > 0)
            self->first--;
    }
}

/* 1 to LEVELS, by the logarithm; 0: none. */
static size_t level_of(const heat_t *self, uint64_t count)
{
    if (count == 0)
        return 0;
    if (self->maximum < 2)
        return LEVELS;
    const double part = log((double)count) / log((double)self->maximum);
    const size_t level = 1 + (size_t)(part * (LEVELS - 1) + 0.5);
    return level < LEVELS ? level : LEVELS;
}

/* All cells of a level, as one path; a run in a row is one rectangle. */
static void write_level(html_page_t *page, const heat_t *self, size_t level)
{
    bool is_open = false;
    for (size_t row = self->first; row < self->end; row++)
        for (size_t column = 0; column < self->columns.count;) {
            size_t run = 0;
            while (column + run < self->columns.count &&
                   level_of(self, *count_at(self, column + run, row)) == level)
                run++;
            if (run == 0) {
                column++;
                continue;
            }
            if (!is_open)
                fprintf(page->out, "<path class=\"h%zu\" d=\"", level);
            is_open = true;
            fprintf(page->out, "M%zu %zuh%zuv1H%zuz", column, self->end - 1 - row, run, column);
            column += run;
        }
    if (is_open)
        fputs("\"/>", page->out);
}

/* ---- scale ---- */

/* Where a duration is, from the top, in rows. */
static double place_of(const heat_t *self, double seconds)
{
    double from = 0;
    double below = 0;
    const size_t bucket = report_bucket_of(seconds);
    report_bucket_bounds(bucket, &from, &below);
    const double inside = isfinite(below) && below > from ? (seconds - from) / (below - from) : 0;
    const double row = ((double)bucket + inside + JOINED - 1) / JOINED;
    return (double)self->end - row;
}

/* Lines at powers of ten; their texts are written over the plot. */
static void write_scale(html_page_t *page, const heat_t *self, bool is_text)
{
    enum { FIRST_POWER = -6, LAST_POWER = 2, PERCENT = 100, MANY_ROWS = 36 };
    static const double edge = 0.08; /* nearer to an end there is no room for a text */
    const double rows = (double)(self->end - self->first);
    const int step = is_text && rows > MANY_ROWS ? 3 : 1;
    for (int power = FIRST_POWER; power <= LAST_POWER; power += step) {
        const double seconds = pow(10, power);
        const double place = place_of(self, seconds);
        if (place <= (is_text ? rows * edge : 0) || place >= (is_text ? rows * (1 - edge) : rows))
            continue;
        if (is_text) {
            fprintf(page->out, "<text x=\"4\" y=\"%.1f%%\">%s</text>", place / rows * PERCENT,
                    value_text_duration(seconds).text);
        } else {
            fputs("M0 ", page->out);
            chart_number(page->out, place);
            putc('H', page->out);
            chart_number(page->out, page->span / self->columns.seconds);
        }
    }
}

static void write_plot(html_page_t *page, const heat_t *self)
{
    const double rows = (double)(self->end - self->first);
    fputs("<div class=\"heat\">", page->out);
    chart_plot_open(page, &self->columns, "map", rows);
    for (size_t level = 1; level <= LEVELS; level++)
        write_level(page, self, level);
    fputs("<path class=\"grid\" d=\"", page->out);
    write_scale(page, self, false);
    fputs("\"/>", page->out);
    chart_plot_close(page);
    fputs("<svg class=\"scale\" aria-hidden=\"true\">", page->out);
    write_scale(page, self, true);
    fputs("</svg></div>\n", page->out);
}

/* ---- data ---- */

static double lower_bound(size_t row)
{
    double from = 0;
    double below = 0;
    report_bucket_bounds(row == 0 ? 0 : (row - 1) * JOINED + 1, &from, &below);
    return from;
}

static void write_column(html_page_t *page, const heat_t *self, size_t column)
{
    FILE *out = page->data.out;
    bool is_first = true;
    json_output_open(&page->data, NULL, '[');
    for (size_t row = self->first; row < self->end; row++) {
        const uint64_t count = *count_at(self, column, row);
        if (count == 0)
            continue;
        fprintf(out, "%s%zu,%" PRIu64, is_first ? "" : ",", row - self->first, count);
        is_first = false;
    }
    json_output_close(&page->data, ']');
}

static void write_data(html_page_t *page, const heat_t *self, const char *id, const char *name)
{
    FILE *out = page->data.out;
    json_output_open(&page->data, id, '{');
    json_output_string(&page->data, "name", name);
    json_output_real(&page->data, "seconds", self->columns.seconds);
    json_output_count(&page->data, "columns", (int64_t)self->columns.count);
    json_output_open(&page->data, "bounds", '[');
    for (size_t row = self->first; row <= self->end; row++)
        fprintf(out, "%s%.3g", row > self->first ? "," : "",
                row < ROWS ? lower_bound(row) : lower_bound(ROWS - 1));
    json_output_close(&page->data, ']');
    json_output_open(&page->data, "cells", '[');
    for (size_t column = 0; column < self->columns.count; column++)
        write_column(page, self, column);
    json_output_close(&page->data, ']');
    json_output_close(&page->data, '}');
}

/* ---- the whole ---- */

static void write_label(html_page_t *page, const heat_t *self, const char *name,
                        const report_percentiles_t *percentiles)
{
    fprintf(page->out, "<p class=\"lane\"><b>%s</b> ", name);
    if (percentiles->count > 0) {
        fputs("<span>half below ", page->out);
        html_duration(page, percentiles->median);
        fputs(", 99 % below ", page->out);
        html_duration(page, percentiles->percentile_99);
        fputs(", at most ", page->out);
        html_duration(page, percentiles->maximum);
        fputs("</span> ", page->out);
    }
    fputs("<span class=\"legend\">1 ", page->out);
    for (size_t level = 1; level <= LEVELS; level++)
        fprintf(page->out, "<i class=\"h%zu\"></i>", level);
    putc(' ', page->out);
    html_count(page, (int64_t)self->maximum);
    fputs(" events</span></p>\n", page->out);
}

void heat_write(html_page_t *page, const char *id, const char *name, const char *of,
                const report_axis_t *axis, size_t columns, const report_cells_t *cells,
                const report_percentiles_t *percentiles)
{
    heat_t self = {.columns = chart_columns(page, axis, columns)};
    self.counts = memory_new(self.columns.count * ROWS, sizeof *self.counts);
    collect(&self, cells);
    if (self.first < self.end) {
        widen(&self);
        char *label = memory_format("Heat map over time: %s of %s", name, of ? of : "all streams");
        write_label(page, &self, name, percentiles);
        chart_open(page, id, label);
        write_plot(page, &self);
        chart_close(page);
        write_data(page, &self, id, name);
        free(label);
    }
    free(self.counts);
}

void html_heat_maps(html_page_t *page)
{
    const report_t *report = page->report;
    bool is_known = false;
    for (size_t i = 0; i < REPORT_DURATIONS; i++)
        is_known |= heat_is_known(&report->cells[i]);
    if (!is_known || page->limits->heat_columns == 0)
        return;
    html_section_open(page, "durations", "How long it took");
    fputs("<p class=\"note\">Latency: from push_event() to the subscriber. Processing: in its "
          "callbacks. The more events of a duration at a time, the stronger the colour; even one "
          "event is drawn.</p>\n<div class=\"panel\">\n",
          page->out);
    static const report_duration_t order[] = {REPORT_LATENCY, REPORT_PROCESSING, REPORT_PUSH};
    for (size_t i = 0; i < REPORT_DURATIONS; i++) {
        char *id = memory_format("all-%s", heat_id(order[i]));
        heat_write(page, id, heat_name(order[i]), NULL, &report->axis, page->limits->heat_columns,
                   &report->cells[order[i]], &report->percentiles[order[i]]);
        free(id);
    }
    if (report->cells_are_incomplete)
        fputs("<p class=\"note\">There were more durations than there was memory for.</p>\n",
              page->out);
    chart_times(page);
    fputs("</div>\n", page->out);
    html_section_close(page);
}
