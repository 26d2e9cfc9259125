/*
 * finding_rows: findings as a list on a screen.
 */
#ifndef STEM_FINDING_ROWS_H
#define STEM_FINDING_ROWS_H

#include <stddef.h>

#include "monitor/view/live/ui/ui_parts.h"

typedef struct {
    size_t *rows; /* indices in the frame */
    size_t count;
    size_t lasting; /* of these; they come first */
} finding_rows_t;

/* Zero-initialized, it is of no frame. */
void finding_rows_clear(finding_rows_t *self);

/* Those that the command line's filter takes. */
void finding_rows_update(finding_rows_t *self, const ui_t *ui, const frame_t *frame);

/* The row of a finding; FRAME_NONE: it has none. */
size_t finding_rows_find(const finding_rows_t *self, const frame_t *frame, const char *identity);

/* One finding as a line. prefix: left out of all names; NULL: none. */
void finding_rows_draw(canvas_t *canvas, int row, const frame_finding_t *finding,
                       const char *prefix);

/* One quiet line for when nothing is found, and what limits that. */
void finding_rows_draw_none(canvas_t *canvas, int row, const frame_t *frame);

#endif
