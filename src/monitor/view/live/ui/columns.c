#include "monitor/view/live/ui/columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "response/counters.h"

/* The column of a rank. */
static size_t ranked(const column_t *columns, size_t count, size_t rank)
{
    for (size_t i = 0; i < count; i++)
        if (columns[i].rank == (int)rank)
            return i;
    return 0;
}

/* Widens columns, by rank, as far as `left` cells go; returns what is left of them. */
static int widen(const column_t *columns, size_t count, bool last, int left, column_place_t *places)
{
    for (size_t rank = 0; rank < count; rank++) {
        const size_t i = ranked(columns, count, rank);
        const int more = columns[i].wanted - places[i].width;
        if (places[i].width == 0 || columns[i].is_last != last || more <= 0)
            continue;
        const int step = more < left ? more : left;
        places[i].width += step;
        left -= step;
    }
    return left;
}

void columns_place(const column_t *columns, size_t count, int width, column_place_t *places)
{
    int left = width + 1; /* there is no gap before the first */
    for (size_t i = 0; i < count; i++)
        places[i] = (column_place_t){0};
    for (size_t rank = 0; rank < count; rank++) {
        const size_t i = ranked(columns, count, rank);
        const int least = rank == 0 && columns[i].least > width ? width : columns[i].least;
        if (least < 1 || least + 1 > left)
            break;
        places[i].width = least;
        left -= least + 1;
    }
    left = widen(columns, count, false, left, places);
    (void)widen(columns, count, true, left, places);
    int start = 0;
    for (size_t i = 0; i < count; i++) {
        places[i].start = start;
        if (places[i].width > 0)
            start += places[i].width + 1;
    }
}

static const char *arrow(const canvas_t *canvas, bool ascending)
{
    if (canvas_is_utf8(canvas))
        return ascending ? "\u25b2" : "\u25bc";
    return ascending ? "^" : "v";
}

void columns_draw(ui_t *ui, canvas_t *canvas, int row, const column_t *columns,
                  const column_place_t *places, size_t count, size_t sorted, bool ascending,
                  int32_t first_key)
{
    canvas_text(canvas, row, 0, canvas_columns(canvas), LOOK_TITLE, "");
    for (size_t i = 0; i < count; i++) {
        const column_place_t *place = &places[i];
        if (place->width == 0)
            continue;
        char *heading =
            memory_format("%s%s", columns[i].heading, i == sorted ? arrow(canvas, ascending) : "");
        const look_t look = i == sorted ? LOOK_KEY : LOOK_TITLE;
        if (columns[i].is_number)
            canvas_text_right(canvas, row, place->start, place->width, look, heading);
        else
            canvas_text(canvas, row, place->start, place->width, look, heading);
        free(heading);
        ui_click_is_key(ui, row, place->start, place->width, first_key + (int32_t)i);
    }
}

/* "+4138" or ">=12345.6" in fewer characters. The caller frees it. */
static char *rounded(const char *text)
{
    static const char units[] = " kMGTPE";
    const size_t begin = strcspn(text, "0123456789");
    double value = strtod(text + begin, NULL);
    size_t unit = 0;
    for (; value >= 999.5 && unit + 2 < sizeof units; unit++)
        value /= 1000;
    const char *sign = memchr(text, '+', begin) ? "+" : memchr(text, '>', begin) ? ">" : "";
    return unit > 0 ? memory_format("%s%.*f%c", sign, value < 9.95 ? 1 : 0, value, units[unit])
                    : memory_format("%s%.0f", sign, value);
}

void columns_draw_number(canvas_t *canvas, int row, const column_place_t *place, look_t look,
                         const char *text)
{
    const bool is_quiet = strspn(text, "0.-") == strlen(text);
    if (is_quiet && look == LOOK_PLAIN)
        look = LOOK_DIM;
    char *shorter = canvas_width(canvas, text) > place->width ? rounded(text) : NULL;
    const bool fits = !shorter || canvas_width(canvas, shorter) <= place->width;
    canvas_text_right(canvas, row, place->start, place->width, look,
                      !fits     ? "#"
                      : shorter ? shorter
                                : text);
    free(shorter);
}

void columns_draw_trend(const ui_t *ui, canvas_t *canvas, int row, const column_place_t *place,
                        uint64_t id, trend_t kind)
{
    double values[COLUMNS_WIDEST_TREND];
    double more[COLUMNS_WIDEST_TREND];
    const size_t count =
        place->width < COLUMNS_WIDEST_TREND ? (size_t)place->width : COLUMNS_WIDEST_TREND;
    ui_trend(ui, id, kind == TREND_KINDS ? TREND_PUSH_RATE : kind, values, count);
    if (kind == TREND_KINDS) {
        ui_trend(ui, id, TREND_RECEIVE_RATE, more, count);
        for (size_t i = 0; i < count; i++)
            values[i] = fmax(values[i], more[i]); /* of a number and NAN the number */
    }
    canvas_sparkline(canvas, row, place->start, place->width, values, count, 0, LOOK_BAR);
    ui_trend(ui, id, TREND_NEW_LOSSES, more, count);
    for (size_t i = 0; i < count; i++)
        if (more[i] > 0)
            canvas_text(canvas, row, place->start + place->width - (int)(count - i), 1, LOOK_ALARM,
                        "!");
}

double columns_value(int64_t count)
{
    return count == RESPONSE_UNKNOWN ? NAN : (double)count;
}

int columns_compare(double left, double right)
{
    if (isnan(left) || isnan(right))
        return isnan(left) - isnan(right);
    return (left < right) - (left > right);
}
