/*
 * history_rows: numbers of the polls so far, as sparklines with a label, the last and the highest
 * value.
 */
#ifndef STEM_HISTORY_ROWS_H
#define STEM_HISTORY_ROWS_H

#include "monitor/view/live/ui/page.h"
#include "monitor/view/live/ui/ui_parts.h"

enum { HISTORY_ROWS_MOST = 400 };

/* How many polls a row shows, on a page of that width; at most HISTORY_ROWS_MOST. */
size_t history_rows_polls(int width);

/* What stands above them. */
void history_rows_heading(canvas_t *canvas, int row, int width);

/* One row of that many values, oldest first; NAN is not known. */
void history_rows_draw(canvas_t *canvas, int row, int width, const char *label, trend_t kind,
                       const double *values);

/* The same of a stream or server as a whole. */
void history_rows_trend(const ui_t *ui, uint64_t id, canvas_t *canvas, int row, int width,
                        const char *label, trend_t kind);

#endif
