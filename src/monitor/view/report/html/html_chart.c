#include "monitor/view/report/html/html_chart.h"

#include <math.h>
#include <stdlib.h>

#include "base/timespec.h"

chart_columns_t chart_columns(const html_page_t *page, const report_axis_t *axis, size_t most)
{
    const size_t fold = report_fold(page->report, axis, most > 0 ? most : 1);
    return (chart_columns_t){.axis = axis,
                             .fold = fold,
                             .count = (axis->count + fold - 1) / fold,
                             .seconds = axis->width * (double)fold};
}

/* ---- elements ---- */

void chart_open(html_page_t *page, const char *id, const char *label)
{
    fprintf(page->out,
            "<figure class=\"chart\" id=\"c-%s\" data-chart=\"%s\" tabindex=\"0\" role=\"group\" "
            "aria-label=\"",
            id, id);
    html_value(page, label);
    fputs("\">\n", page->out);
}

void chart_close(html_page_t *page)
{
    fputs("</figure>\n", page->out);
}

/* How many columns are from the left to the right of a chart. */
static double width_of(const html_page_t *page, const chart_columns_t *columns)
{
    return columns->seconds > 0 ? page->span / columns->seconds : 1;
}

void chart_plot_open(html_page_t *page, const chart_columns_t *columns, const char *css,
                     double height)
{
    fprintf(page->out,
            "<svg class=\"plot %s\" aria-hidden=\"true\" preserveAspectRatio=\"none\" "
            "viewBox=\"0 0 ",
            css);
    chart_number(page->out, width_of(page, columns));
    putc(' ', page->out);
    chart_number(page->out, height);
    fputs("\">", page->out);
}

void chart_plot_close(html_page_t *page)
{
    fputs("</svg>\n", page->out);
}

/* ---- times ---- */

enum { DAY = 86400, YEAR = 365 * DAY, TENTHS = 10 };

/* The least of these steps of which there are at most so many in the span. */
static double step_of(double span, double most)
{
    static const double steps[] = {0.1, 0.2, 0.5, 1,   2,    5,    10,   15,    30,    60,
                                   120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (span / steps[i] <= most)
            return steps[i];
    return DAY * ceil(span / most / DAY);
}

/* How a time of such a step is written: false: not at all. */
static bool write_time(char *text, size_t size, double at, double step, bool has_years)
{
    enum { MINUTE = 60 };
    const long long tenths = llround(at * TENTHS);
    const time_t time = (time_t)floor((double)tenths / TENTHS);
    struct tm fields;
    if (!gmtime_r(&time, &fields))
        return false;
    const bool is_date = has_years || tenths % ((long long)DAY * TENTHS) == 0;
    const char *format = has_years       ? "%Y-%m-%d"
                         : is_date       ? "%b %d"
                         : step < MINUTE ? "%H:%M:%S"
                                         : "%H:%M";
    const size_t length = strftime(text, size, format, &fields);
    if (step < 1 && !is_date)
        (void)snprintf(text + length, size - length, ".%lld", (tenths % TENTHS + TENTHS) % TENTHS);
    return true;
}

void chart_times(html_page_t *page)
{
    enum { MOST = 12, MOST_WITH_YEARS = 8 };
    static const double edge = 0.95; /* nearer to an end a text would not fit */
    const report_axis_t *axis = &page->report->axis;
    const bool has_years = page->span >= YEAR;
    const double step = step_of(page->span, has_years ? MOST_WITH_YEARS : MOST);
    const double begin = (double)axis->begin.tv_sec + (double)axis->begin.tv_nsec / 1e9;
    const double local = begin + (double)page->offset;
    fputs("<svg class=\"times\" aria-hidden=\"true\">", page->out);
    const double first = ceil(local / step);
    for (size_t number = 0; number <= MOST; number++) {
        const double at = (first + (double)number) * step;
        const double place = (at - local) / page->span;
        char text[32] = "";
        if (place < 1 - edge || place > edge || !write_time(text, sizeof text, at, step, has_years))
            continue;
        fprintf(page->out, "<text x=\"%.2f%%\" y=\"13\"%s>%s</text>", place * 100,
                number % 2 ? " class=\"odd\"" : "", text);
    }
    fputs("</svg>\n", page->out);
}

/* ---- shapes ---- */

void chart_number(FILE *out, double value)
{
    enum { HUNDREDTHS = 100 };
    if (!isfinite(value))
        value = 0;
    const double rounded = round(value * HUNDREDTHS) / HUNDREDTHS;
    fprintf(out, "%.10g", rounded == 0 ? 0 : rounded);
}

double chart_maximum(const double *values, size_t count)
{
    double maximum = 0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(values[i]) && values[i] > maximum)
            maximum = values[i];
    return maximum;
}

double chart_height(const chart_scale_t *scale, double value)
{
    if (!(value > 0) || !(scale->maximum > 0))
        return 0;
    const double height =
        value >= scale->maximum ? scale->height : round(value / scale->maximum * scale->height);
    return height < scale->least ? scale->least : height;
}

/* To the height of a column, from that of the one before. A filled path has a part of its own for
 * each run of columns that aren't 0: its outline is drawn, too, so that a single column is seen
 * however narrow it is, and where there is nothing there must be no line. */
static void write_step(html_page_t *page, size_t column, double at, double to,
                       const chart_scale_t *scale, bool filled)
{
    if (filled && at == scale->height) {
        fprintf(page->out, "M%zu ", column);
        chart_number(page->out, at);
    }
    if (filled && to == scale->height) {
        putc('V', page->out);
        chart_number(page->out, to);
        putc('z', page->out);
    } else {
        putc('v', page->out);
        chart_number(page->out, to - at);
    }
}

void chart_steps(html_page_t *page, const char *css, const double *values, size_t count,
                 const chart_scale_t *scale, bool filled)
{
    double at = scale->height;
    fprintf(page->out, "<path class=\"%s\" d=\"", css);
    if (!filled) {
        fputs("M0 ", page->out);
        chart_number(page->out, at);
    }
    for (size_t i = 0; i < count;) {
        const double to = scale->height - chart_height(scale, values[i]);
        size_t run = 1;
        while (i + run < count && scale->height - chart_height(scale, values[i + run]) == to)
            run++;
        if (to != at)
            write_step(page, i, at, to, scale, filled);
        if (!filled || to != scale->height)
            fprintf(page->out, "h%zu", run);
        at = to;
        i += run;
    }
    if (filled && at != scale->height)
        write_step(page, count, at, scale->height, scale, filled);
    fputs("\"/>", page->out);
}

void chart_bars(html_page_t *page, const char *css, const double *values, const double *bases,
                size_t count, const chart_scale_t *scale)
{
    bool is_open = false;
    for (size_t i = 0; i < count; i++) {
        const double height = chart_height(scale, values[i]);
        if (height <= 0)
            continue;
        const double base = bases ? chart_height(scale, bases[i]) : 0;
        const double room = scale->height - base > height ? height : scale->height - base;
        if (!is_open)
            fprintf(page->out, "<path class=\"%s\" d=\"", css);
        is_open = true;
        fprintf(page->out, "M%zu ", i);
        chart_number(page->out, scale->height - base);
        putc('v', page->out);
        chart_number(page->out, -(room > 0 ? room : 1));
        fputs("h1V", page->out);
        chart_number(page->out, scale->height - base);
        putc('z', page->out);
    }
    if (is_open)
        fputs("\"/>", page->out);
}

/* The place of a time, inside the chart. */
static double place_of(const html_page_t *page, const chart_columns_t *columns,
                       const struct timespec *time)
{
    const double after = timespec_seconds_between(&columns->axis->begin, time);
    const double inside = after > 0 ? fmin(after, page->span) : 0;
    return columns->seconds > 0 ? inside / columns->seconds : 0;
}

void chart_spans(html_page_t *page, const chart_columns_t *columns, const char *css,
                 const chart_span_t *spans, size_t count, double height)
{
    enum { TOLD_APART = 1000 }; /* from left to right */
    const double apart = width_of(page, columns) / TOLD_APART;
    for (size_t i = 0; i < count;) {
        const double begin = place_of(page, columns, &spans[i].from);
        double end = fmax(begin, place_of(page, columns, &spans[i].to));
        if (i == 0)
            fprintf(page->out, "<path class=\"%s\" d=\"", css);
        putc('M', page->out);
        for (i++; i < count && place_of(page, columns, &spans[i].from) - end < apart; i++)
            end = fmax(end, place_of(page, columns, &spans[i].to));
        chart_number(page->out, begin);
        fputs(" 0v", page->out);
        chart_number(page->out, height);
        putc('h', page->out);
        chart_number(page->out, end - begin);
        fputs("V0z", page->out);
    }
    fputs(count > 0 ? "\"/>" : "", page->out);
}

/* ---- the data ---- */

void chart_data_open(html_page_t *page, const char *id, const char *name,
                     const chart_columns_t *columns)
{
    json_output_open(&page->data, id, '{');
    json_output_string(&page->data, "name", name);
    json_output_real(&page->data, "seconds", columns->seconds);
    json_output_count(&page->data, "columns", (int64_t)columns->count);
    json_output_open(&page->data, "series", '[');
}

void chart_data_close(html_page_t *page)
{
    json_output_close(&page->data, ']');
    json_output_close(&page->data, '}');
}

void chart_data_series(html_page_t *page, const char *name, const char *unit, const double *values,
                       size_t count)
{
    FILE *out = page->data.out;
    json_output_open(&page->data, NULL, '[');
    json_output_string(&page->data, NULL, name);
    json_output_string(&page->data, NULL, unit);
    json_output_open(&page->data, NULL, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            putc(',', out);
        if (!isfinite(values[i]))
            fputs("null", out);
        else if (values[i] == floor(values[i]) && fabs(values[i]) < 1e15)
            fprintf(out, "%.0f", values[i]);
        else
            fprintf(out, "%.3g", values[i]);
    }
    json_output_close(&page->data, ']');
    json_output_close(&page->data, ']');
}
