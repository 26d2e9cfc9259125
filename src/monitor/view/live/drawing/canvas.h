/*
 * canvas: the cells of a screen, drawn without a terminal, so that screens can be tested as text.
 *
 * Text comes from the network: everything drawn is made printable first (see printable.h), and cut
 * at the edge. A character of two columns takes two cells.
 */
#ifndef STEM_CANVAS_H
#define STEM_CANVAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <wchar.h>

/* How a cell looks; with colours or without, the meaning has to show. */
typedef enum {
    LOOK_PLAIN,
    LOOK_DIM,
    LOOK_BOLD,
    LOOK_TITLE,    /* headings, the bars at top and bottom: reverse without colour */
    LOOK_KEY,      /* of a key in the bar at the bottom */
    LOOK_SELECTED, /* the row of the cursor: reverse */
    LOOK_GOOD,
    LOOK_WARNING,
    LOOK_ALARM, /* bold without colour */
    LOOK_BAR,   /* bars and sparklines */
    LOOK_KINDS
} look_t;

typedef struct {
    wchar_t character; /* 0: the second half of a wide one */
    wchar_t mark;      /* a combining one over it, or 0 */
    look_t look;
} cell_t;

typedef struct canvas canvas_t;

/* All blank. utf8: what can be drawn: else only ASCII. Never NULL. */
canvas_t *canvas_new(int rows, int columns, bool utf8);
void canvas_destroy(canvas_t **self);

int canvas_rows(const canvas_t *self);
int canvas_columns(const canvas_t *self);
bool canvas_is_utf8(const canvas_t *self);

/* Blank again, and of that size. */
void canvas_clear(canvas_t *self, int rows, int columns);

/*
 * Draws text from (row, column) to before column + width, cut there, with blanks after it. Whatever
 * lies outside the canvas isn't drawn. Returns the column after the text.
 */
int canvas_text(canvas_t *self, int row, int column, int width, look_t look, const char *text);

/* The same, aligned to the right; if it doesn't fit, its end is cut off. */
void canvas_text_right(canvas_t *self, int row, int column, int width, look_t look,
                       const char *text);

/* How many cells a text takes; not counted any further than the canvas is wide. */
int canvas_width(const canvas_t *self, const char *text);

/* A name of which both ends matter: shortened in the middle ("tango://ho…/attr.change"). */
void canvas_name(canvas_t *self, int row, int column, int width, look_t look, const char *name);

int canvas_format(canvas_t *self, int row, int column, int width, look_t look, const char *format,
                  ...) __attribute__((format(printf, 6, 7)));

/* Text wrapped into a column from row on, for at most rows rows, without its first `skip` lines;
 * returns how many lines it has in all. A line feed ends a line, too. */
int canvas_wrapped(canvas_t *self, int row, int column, int width, int rows, int skip, look_t look,
                   const char *text);

/*
 * A sparkline of count values, the last one at the right end; NAN leaves a gap. Scaled to maximum
 * (0: their own). In ASCII by characters of growing weight.
 */
void canvas_sparkline(canvas_t *self, int row, int column, int width, const double *values,
                      size_t count, double maximum, look_t look);

/* A bar of a part (0 to 1) of width, in eighths of a cell; what isn't nothing can be seen. */
void canvas_bar(canvas_t *self, int row, int column, int width, double part, look_t look);

/* Changes how a whole row looks, from column on, for width cells. */
void canvas_set_look(canvas_t *self, int row, int column, int width, look_t look);

/* Outside the canvas a blank one. */
const cell_t *canvas_cell(const canvas_t *self, int row, int column);

/* Prints it as lines of UTF-8 without their blanks at the end; for tests. */
void canvas_print(const canvas_t *self, FILE *out);

#endif
