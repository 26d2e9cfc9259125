/*
 * text_table: a table for people, its columns aligned.
 *
 * Columns are declared first, then the cells come row by row, from left to right. Cells are copied
 * and made printable (see printable.h); widths are those of a terminal, also for UTF-8.
 */
#ifndef STEM_TEXT_TABLE_H
#define STEM_TEXT_TABLE_H

#include <stdio.h>

#include "base/terminal.h"

typedef struct text_table text_table_t;

/* How a column looks; flags to combine. The default is left-aligned, two spaces after the last. */
enum {
    TEXT_TABLE_LEFT = 0,
    TEXT_TABLE_RIGHT = 1,    /* numbers */
    TEXT_TABLE_OPTIONAL = 2, /* left out, with its heading, if all its cells are "", "0" or missing:
                                "-" is never left out */
    TEXT_TABLE_JOINED = 4,   /* belongs to the column before: one space between them, not two */
    TEXT_TABLE_NAME = 8      /* is hardly shortened while optional columns can be left out */
};

/* A new table without columns. Never NULL. */
text_table_t *text_table_new(void);

/* Frees a table and sets *self to NULL; *self may be NULL. */
void text_table_destroy(text_table_t **self);

/* Adds a column. Must not be called after the first cell. */
void text_table_column(text_table_t *self, const char *heading, unsigned flags);

/* Adds the next cell; NULL is not known, shown as "-". */
void text_table_cell(text_table_t *self, const char *text);

/* Adds the next cell, as printf would print it. */
void text_table_cellf(text_table_t *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The colour of the row that the last cell was added to. */
void text_table_row_color(text_table_t *self, color_t color);

/*
 * Prints headings and rows to out, each line after indent and without spaces at its end; style may
 * be NULL. If lines would be longer than its width, texts are shortened, then optional columns are
 * left out, from the right. An incomplete last row is printed as far as it goes. Prints nothing if
 * there is no row.
 */
void text_table_print(const text_table_t *self, FILE *out, const char *indent,
                      const text_style_t *style);

#endif
