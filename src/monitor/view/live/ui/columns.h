/*
 * columns: of a table on a screen: which of them there is room for, their headings and cells, and
 * what is the same in sorting by one.
 */
#ifndef STEM_COLUMNS_H
#define STEM_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

#include "monitor/view/live/ui/ui_parts.h"

typedef struct {
    const char *heading;
    int least;      /* cells; without them it isn't shown */
    int wanted;     /* it takes so many, if they are there */
    int rank;       /* 0 is the most important one, and always shown; all different */
    bool is_number; /* aligned to the right */
    bool is_last;   /* gets more than `least` only if all others have what they want */
} column_t;

typedef struct {
    int start;
    int width; /* 0: not shown */
} column_place_t;

/* Columns and places have count members each; between columns is one cell. */
void columns_place(const column_t *columns, size_t count, int width, column_place_t *places);

/* Draws headings, with an arrow at the one that rows are sorted by; a click on one is the key
 * first_key + its index. */
void columns_draw(ui_t *ui, canvas_t *canvas, int row, const column_t *columns,
                  const column_place_t *places, size_t count, size_t sorted, bool ascending,
                  int32_t first_key);

/* Draws a number, quietly if it is none or not known. One that is too long is rounded ("12.3k"): it
 * is never cut. */
void columns_draw_number(canvas_t *canvas, int row, const column_place_t *place, look_t look,
                         const char *text);

/* More cells than that no trend takes. */
#define COLUMNS_WIDEST_TREND 240

/* Draws a number of a stream or server, by its id, as a sparkline, in which losses are marked.
 * TREND_KINDS: the greater one of its rates. */
void columns_draw_trend(const ui_t *ui, canvas_t *canvas, int row, const column_place_t *place,
                        uint64_t id, trend_t kind);

/* A count, or NAN if it is RESPONSE_UNKNOWN. */
double columns_value(int64_t count);

/* For qsort(): the greater number first; what isn't known (NAN) last. */
int columns_compare(double left, double right);

#endif
