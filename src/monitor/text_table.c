#include "monitor/text_table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "response/memory.h"
#include "response/printable.h"

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
};

text_table_t *text_table_new(void)
{
    return memory_new(1, sizeof(text_table_t));
}

void text_table_destroy(text_table_t **self)
{
    text_table_t *table = *self;
    if (!table) {
        return;
    }
    for (size_t i = 0; i < table->column_count; i++) {
        free(table->columns[i].heading);
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        free(table->cells[i]);
    }
    free(table->columns);
    free(table->cells);
    free(table);
    *self = NULL;
}

void text_table_column(text_table_t *self, const char *heading, unsigned flags)
{
    self->columns = memory_resize(self->columns, self->column_count + 1, sizeof(*self->columns));
    column_t *column = &self->columns[self->column_count++];
    column->heading = printable_copy(heading, printable_locale_is_utf8());
    column->flags = flags;
}

void text_table_cell(text_table_t *self, const char *text)
{
    if (self->cell_count == self->cell_room) {
        self->cell_room = self->cell_room ? 2 * self->cell_room : 64;
        self->cells = memory_resize(self->cells, self->cell_room, sizeof(*self->cells));
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

static const char *cell_at(const text_table_t *self, size_t row, size_t column)
{
    size_t index = row * self->column_count + column;
    return index < self->cell_count ? self->cells[index] : "";
}

static bool is_shown(const text_table_t *self, size_t row_count, size_t column)
{
    if (!(self->columns[column].flags & TEXT_TABLE_OPTIONAL)) {
        return true;
    }
    for (size_t row = 0; row < row_count; row++) {
        const char *cell = cell_at(self, row, column);
        if (*cell && strcmp(cell, "-") != 0) {
            return true;
        }
    }
    return false;
}

/* The width of each column; NOT_SHOWN for one that is left out. */
#define NOT_SHOWN SIZE_MAX

static size_t *measure(const text_table_t *self, size_t row_count)
{
    size_t *widths = memory_new(self->column_count, sizeof(*widths));
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

static void print_spaces(FILE *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fputc(' ', out);
    }
}

/* Prints the cells of a row; row_count (one past the last row) stands for the headings. */
static void print_row(const text_table_t *self, FILE *out, const char *indent, const size_t *widths,
                      size_t row_count, size_t row)
{
    size_t spaces = 0; /* owed before the next text: never printed at the end of a line */
    bool first = true;
    fputs(indent, out);
    for (size_t column = 0; column < self->column_count; column++) {
        if (widths[column] == NOT_SHOWN) {
            continue;
        }
        unsigned flags = self->columns[column].flags;
        const char *text =
            row == row_count ? self->columns[column].heading : cell_at(self, row, column);
        size_t padding = widths[column] - printable_width(text);
        if (!first) {
            spaces += flags & TEXT_TABLE_JOINED ? 1 : 2;
        }
        first = false;
        if (flags & TEXT_TABLE_RIGHT) {
            spaces += padding;
        }
        if (*text) {
            print_spaces(out, spaces);
            fputs(text, out);
            spaces = 0;
        }
        if (!(flags & TEXT_TABLE_RIGHT)) {
            spaces += padding;
        }
    }
    fputc('\n', out);
}

void text_table_print(const text_table_t *self, FILE *out, const char *indent)
{
    if (self->column_count == 0 || self->cell_count == 0) {
        return;
    }
    size_t row_count = (self->cell_count + self->column_count - 1) / self->column_count;
    size_t *widths = measure(self, row_count);
    print_row(self, out, indent, widths, row_count, row_count);
    for (size_t row = 0; row < row_count; row++) {
        print_row(self, out, indent, widths, row_count, row);
    }
    free(widths);
}
