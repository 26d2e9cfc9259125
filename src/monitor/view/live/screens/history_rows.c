#include "monitor/view/live/screens/history_rows.h"

#include <math.h>

#include "monitor/view/text/value_text.h"
#include "response/counters.h"

enum { LABEL_WIDTH = 30, NUMBER_WIDTH = 11, INDENT = 1 };

size_t history_rows_polls(int width)
{
    const int polls = width - LABEL_WIDTH - 2 * NUMBER_WIDTH;
    return polls < 0 ? 0 : polls > HISTORY_ROWS_MOST ? HISTORY_ROWS_MOST : (size_t)polls;
}

static void draw_numbers(canvas_t *canvas, int row, int width, look_t look, const char *last,
                         const char *highest)
{
    const int column = LABEL_WIDTH + (int)history_rows_polls(width);
    canvas_text_right(canvas, row, column, NUMBER_WIDTH, look, last);
    canvas_text_right(canvas, row, column + NUMBER_WIDTH, NUMBER_WIDTH, LOOK_DIM, highest);
}

void history_rows_heading(canvas_t *canvas, int row, int width)
{
    draw_numbers(canvas, row, width, LOOK_DIM, "now", "highest");
}

static value_text_t text_of(trend_t kind, double value)
{
    if (kind == TREND_LATENCY || kind == TREND_PROCESSING)
        return value_text_duration(value);
    if (kind == TREND_NEW_LOSSES)
        return value_text_count(isfinite(value) ? (int64_t)value : RESPONSE_UNKNOWN);
    return value_text_rate(value);
}

void history_rows_draw(canvas_t *canvas, int row, int width, const char *label, trend_t kind,
                       const double *values)
{
    const size_t count = history_rows_polls(width);
    double highest = NAN;
    for (size_t i = 0; i < count; i++)
        highest = fmax(highest, values[i]);
    const bool is_loss = kind == TREND_NEW_LOSSES && highest > 0;
    canvas_name(canvas, row, INDENT, LABEL_WIDTH - INDENT - 1, LOOK_DIM, label);
    canvas_sparkline(canvas, row, LABEL_WIDTH, (int)count, values, count, 0,
                     is_loss ? LOOK_ALARM : LOOK_BAR);
    const double last = count > 0 ? values[count - 1] : NAN;
    draw_numbers(canvas, row, width, is_loss && last > 0 ? LOOK_ALARM : LOOK_PLAIN,
                 text_of(kind, last).text, text_of(kind, highest).text);
}

void history_rows_trend(const ui_t *ui, uint64_t id, canvas_t *canvas, int row, int width,
                        const char *label, trend_t kind)
{
    double values[HISTORY_ROWS_MOST];
    ui_trend(ui, id, kind, values, history_rows_polls(width));
    history_rows_draw(canvas, row, width, label, kind, values);
}
