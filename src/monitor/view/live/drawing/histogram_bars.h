/*
 * histogram_bars: histograms side by side, as bars: buckets merged to few rows that all of them
 * share, so that they can be compared.
 */
#ifndef STEM_HISTOGRAM_BARS_H
#define STEM_HISTOGRAM_BARS_H

#include <stddef.h>
#include <stdint.h>

#include "monitor/view/live/drawing/canvas.h"
#include "monitor/view/live/frames/frame.h"

/* The most rows there are, and columns beside each other. */
enum { HISTOGRAM_BARS_ROWS = 16, HISTOGRAM_BARS_COLUMNS = 24 };

typedef struct {
    size_t rows;
    size_t columns;
    double bounds[HISTOGRAM_BARS_ROWS + 1]; /* nanoseconds, rising; NAN: open */
    int64_t counts[HISTOGRAM_BARS_ROWS][HISTOGRAM_BARS_COLUMNS];
    int64_t maximum; /* of these */
} histogram_bars_t;

/*
 * Merges the buckets of columns histograms (each may be empty) into at most rows rows. Bounds are
 * the buckets' own where they are powers of two; a bucket that overlaps a bound belongs to where
 * its middle is. No rows: there is nothing in any of them.
 */
void histogram_bars_make(histogram_bars_t *self, const frame_duration_t *const *histograms,
                         size_t columns, size_t rows);

enum { HISTOGRAM_BARS_LABEL = 19 }; /* cells of the labels */

/* Draws the label of a row ("1.02 ms-2.05 ms"), and the bar of a column, which is about width cells
 * wide, with its count. */
void histogram_bars_label(const histogram_bars_t *self, size_t at, canvas_t *canvas, int row,
                          int column);
void histogram_bars_bar(const histogram_bars_t *self, size_t at, size_t which, canvas_t *canvas,
                        int row, int column, int width, look_t look);

#endif
