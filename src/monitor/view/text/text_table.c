#include "monitor/view/text/text_table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/printable.h"

typedef struct {
    char *heading;
    unsigned flags;
} column_t;

struct text_table {
    column_t *columns;
    size_t column_count;
    char **cells; /* row by row */
    size_t cell_count;
    size_t cell_room;
    color_t *colors; /* of the first rows; NULL: none has one */
    size_t color_count;
};

/* A column of text keeps at least this many cells; one of names so many, while there is something
 * else to leave out. */
#define WIDTH_MIN 12
#define NAME_MIN  40

text_table_t *text_table_new(void)
{
    return memory_new(1, sizeof(text_table_t));
}

void text_table_destroy(text_table_t **self)
{
    text_table_t *table = *self;
    if (!table)
        return;
    for (size_t i = 0; i < table->column_count; i++)
        free(table->columns[i].heading);
    for (size_t i = 0; i < table->cell_count; i++)
        free(table->cells[i]);
    free(table->columns);
    free(table->cells);
    free(table->colors);
    free(table);
    *self = NULL;
}

void text_table_column(text_table_t *self, const char *heading, unsigned flags)
{
    self->columns = memory_resize(self->columns, self->column_count + 1, sizeof *self->columns);
    column_t *column = &self->columns[self->column_count++];
    column->heading = printable_copy(heading, printable_locale_is_utf8());
    column->flags = flags;
}

void text_table_cell(text_table_t *self, const char *text)
{
    if (self->cell_count == self->cell_room) {
        self->cell_room = self->cell_room ? 2 * self->cell_room : 64;
        self->cells = memory_resize(self->cells, self->cell_room, sizeof *self->cells);
    }
    self->cells[self->cell_count++] = printable_copy(text ? text : "-", printable_locale_is_utf8());
}

void text_table_cellf(text_table_t *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = memory_vformat(format, arguments);
    va_end(arguments);
    text_table_cell(self, text);
    free(text);
}

void text_table_row_color(text_table_t *self, color_t color)
{
    const size_t row = (self->cell_count - 1) / self->column_count;
    if (row >= self->color_count) {
        self->colors = memory_resize(self->colors, row + 1, sizeof *self->colors);
        for (size_t i = self->color_count; i <= row; i++)
            self->colors[i] = COLOR_NONE;
        self->color_count = row + 1;
    }
    self->colors[row] = color;
}

static const char *cell_at(const text_table_t *self, size_t row, size_t column)
{
    size_t index = row * self->column_count + column;
    return index < self->cell_count ? self->cells[index] : "";
}

static bool is_shown(const text_table_t *self, size_t row_count, size_t column)
{
    if (!(self->columns[column].flags & TEXT_TABLE_OPTIONAL))
        return true;
    for (size_t row = 0; row < row_count; row++) {
        const char *cell = cell_at(self, row, column);
        if (*cell && strcmp(cell, "0") != 0)
            return true;
    }
    return false;
}

/* The width of each column; NOT_SHOWN for one that is left out. */
#define NOT_SHOWN SIZE_MAX

static size_t *measure(const text_table_t *self, size_t row_count)
{
    size_t *widths = memory_new(self->column_count, sizeof *widths);
    for (size_t column = 0; column < self->column_count; column++) {
        if (!is_shown(self, row_count, column)) {
            widths[column] = NOT_SHOWN;
            continue;
        }
        widths[column] = printable_width(self->columns[column].heading);
        for (size_t row = 0; row < row_count; row++) {
            size_t width = printable_width(cell_at(self, row, column));
            widths[column] = width > widths[column] ? width : widths[column];
        }
    }
    return widths;
}

static size_t gap_before(const text_table_t *self, size_t column)
{
    return self->columns[column].flags & TEXT_TABLE_JOINED ? 1 : 2;
}

static size_t line_width(const text_table_t *self, const size_t *widths)
{
    size_t width = 0;
    for (size_t column = 0; column < self->column_count; column++)
        if (widths[column] != NOT_SHOWN)
            width += widths[column] + (width > 0 ? gap_before(self, column) : 0);
    return width;
}

static size_t least_width(const text_table_t *self, size_t column, bool keeps_names)
{
    return keeps_names && self->columns[column].flags & TEXT_TABLE_NAME ? NAME_MIN : WIDTH_MIN;
}

/* The widest column of text; NOT_SHOWN if none can be made narrower. */
static size_t widest_text(const text_table_t *self, const size_t *widths, bool keeps_names)
{
    size_t widest = NOT_SHOWN;
    for (size_t column = 0; column < self->column_count; column++)
        if (widths[column] != NOT_SHOWN && !(self->columns[column].flags & TEXT_TABLE_RIGHT) &&
            widths[column] > least_width(self, column, keeps_names) &&
            (widest == NOT_SHOWN || widths[column] > widths[widest]))
            widest = column;
    return widest;
}

/* Leaves out the last optional column, with those that are joined to it. False if there is none. */
static bool drop_column(const text_table_t *self, size_t *widths)
{
    for (size_t column = self->column_count; column-- > 0;) {
        if (widths[column] == NOT_SHOWN || !(self->columns[column].flags & TEXT_TABLE_OPTIONAL))
            continue;
        for (size_t next = column + 1;
             next < self->column_count && self->columns[next].flags & TEXT_TABLE_JOINED; next++)
            widths[next] = NOT_SHOWN;
        widths[column] = NOT_SHOWN;
        return true;
    }
    return false;
}

/* Makes lines as narrow as wanted, if possible. */
static void narrow(const text_table_t *self, size_t *widths, size_t wanted)
{
    bool keeps_names = true;
    for (size_t width = 0; (width = line_width(self, widths)) > wanted;) {
        const size_t widest = widest_text(self, widths, keeps_names);
        if (widest != NOT_SHOWN) {
            const size_t spare = widths[widest] - least_width(self, widest, keeps_names);
            widths[widest] -= spare < width - wanted ? spare : width - wanted;
        } else if (!drop_column(self, widths)) {
            if (!keeps_names)
                return;
            keeps_names = false;
        }
    }
}

static void print_spaces(FILE *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fputc(' ', out);
}

/* Prints the cells of a row; row_count (one past the last row) stands for the headings. */
static void print_row(const text_table_t *self, FILE *out, const size_t *widths, size_t row_count,
                      size_t row)
{
    const bool utf8 = printable_locale_is_utf8();
    size_t spaces = 0; /* owed before the next text: never printed at the end of a line */
    bool first = true;
    for (size_t column = 0; column < self->column_count; column++) {
        if (widths[column] == NOT_SHOWN)
            continue;
        unsigned flags = self->columns[column].flags;
        const char *text =
            row == row_count ? self->columns[column].heading : cell_at(self, row, column);
        char *shorter = printable_shorten(text, widths[column], utf8);
        size_t padding = widths[column] - printable_width(shorter);
        if (!first)
            spaces += gap_before(self, column);
        first = false;
        if (flags & TEXT_TABLE_RIGHT)
            spaces += padding;
        if (*shorter) {
            print_spaces(out, spaces);
            fputs(shorter, out);
            spaces = 0;
        }
        if (!(flags & TEXT_TABLE_RIGHT))
            spaces += padding;
        free(shorter);
    }
}

void text_table_print(const text_table_t *self, FILE *out, const char *indent,
                      const text_style_t *style)
{
    if (self->column_count == 0 || self->cell_count == 0)
        return;
    const bool in_color = style && style->color;
    size_t row_count = (self->cell_count + self->column_count - 1) / self->column_count;
    size_t *widths = measure(self, row_count);
    if (style && style->width > strlen(indent))
        narrow(self, widths, style->width - strlen(indent));
    for (size_t i = 0; i <= row_count; i++) {
        const size_t row = i == 0 ? row_count : i - 1;
        const color_t color = i == 0                    ? COLOR_HEADING
                              : row < self->color_count ? self->colors[row]
                                                        : COLOR_NONE;
        fputs(indent, out);
        fputs(color == COLOR_NONE ? "" : terminal_color(color, in_color), out);
        print_row(self, out, widths, row_count, row);
        fputs(color == COLOR_NONE ? "" : terminal_color(COLOR_NONE, in_color), out);
        fputc('\n', out);
    }
    free(widths);
}
