#include "monitor/view/live/drawing/canvas.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/printable.h"

struct canvas {
    int rows;
    int columns;
    bool utf8;
    cell_t *cells; /* row after row */
    size_t capacity;
};

static const cell_t blank = {L' ', 0, LOOK_PLAIN};

/* One printable character of a text. */
typedef struct {
    wchar_t character;
    int cells;   /* 0, 1 or 2 */
    size_t size; /* in bytes, in the text */
} glyph_t;

canvas_t *canvas_new(int rows, int columns, bool utf8)
{
    canvas_t *self = memory_new(1, sizeof *self);
    self->utf8 = utf8;
    canvas_clear(self, rows, columns);
    return self;
}

void canvas_destroy(canvas_t **self)
{
    if (!*self)
        return;
    free((*self)->cells);
    free(*self);
    *self = NULL;
}

int canvas_rows(const canvas_t *self)
{
    return self->rows;
}

int canvas_columns(const canvas_t *self)
{
    return self->columns;
}

bool canvas_is_utf8(const canvas_t *self)
{
    return self->utf8;
}

void canvas_clear(canvas_t *self, int rows, int columns)
{
    self->rows = rows > 0 ? rows : 0;
    self->columns = columns > 0 ? columns : 0;
    const size_t count = (size_t)self->rows * (size_t)self->columns;
    if (count > self->capacity) {
        self->cells = memory_resize(self->cells, count, sizeof *self->cells);
        self->capacity = count;
    }
    for (size_t i = 0; i < count; i++)
        self->cells[i] = blank;
}

/* NULL outside. */
static cell_t *cell_at(const canvas_t *self, int row, int column)
{
    if (row < 0 || row >= self->rows || column < 0 || column >= self->columns)
        return NULL;
    return &self->cells[(size_t)row * (size_t)self->columns + (size_t)column];
}

const cell_t *canvas_cell(const canvas_t *self, int row, int column)
{
    const cell_t *cell = cell_at(self, row, column);
    return cell ? cell : &blank;
}

/* Whatever wide character has a half in this cell is no longer one. */
static void cut_wide(canvas_t *self, int row, int column)
{
    cell_t *cell = cell_at(self, row, column);
    cell_t *before = cell_at(self, row, column - 1);
    cell_t *after = cell_at(self, row, column + 1);
    if (cell->character == 0 && before)
        before->character = L' ';
    if (after && after->character == 0)
        after->character = L' ';
}

/* Draws a character of one or two cells, if all of it is inside. */
static void put(canvas_t *self, int row, int column, wchar_t character, int cells, look_t look)
{
    for (int i = 0; i < cells; i++)
        if (!cell_at(self, row, column + i))
            return;
    for (int i = 0; i < cells; i++)
        cut_wide(self, row, column + i);
    for (int i = 0; i < cells; i++)
        *cell_at(self, row, column + i) = (cell_t){i == 0 ? character : 0, 0, look};
}

/* Puts a combining mark on the character before column; a cell has room for one. */
static void put_mark(canvas_t *self, int row, int column, wchar_t mark)
{
    cell_t *cell = cell_at(self, row, column - 1);
    if (cell && cell->character == 0)
        cell = cell_at(self, row, column - 2);
    if (cell && cell->mark == 0)
        cell->mark = mark;
}

static void put_blanks(canvas_t *self, int row, int column, int end, look_t look)
{
    if (column < 0)
        column = 0;
    for (; column < end && column < self->columns; column++)
        put(self, row, column, L' ', 1, look);
}

/* What text, which isn't empty, begins with, as it is drawn. */
static glyph_t first_glyph(const canvas_t *self, const char *text)
{
    uint32_t character = 0;
    const size_t size = printable_decode(text, &character);
    if (size == 0 || !printable_shows(character) || (size > 1 && !self->utf8))
        return (glyph_t){L'?', 1, size ? size : 1};
    return (glyph_t){(wchar_t)character, (int)printable_cells(character), size};
}

/* The glyph that ends at text + end, which is behind its beginning. */
static glyph_t last_glyph(const canvas_t *self, const char *text, size_t end)
{
    for (size_t size = 2; size <= 4 && size <= end; size++) {
        const glyph_t glyph = first_glyph(self, text + end - size);
        if (glyph.size == size)
            return glyph;
    }
    return first_glyph(self, text + end - 1);
}

/* Draws glyphs as long as they end before column end; returns the column after them. *rest: what
 * is left of the text. */
static int put_text(canvas_t *self, int row, int column, int end, look_t look, const char *text,
                    const char **rest)
{
    const int start = column;
    while (*text) {
        const glyph_t glyph = first_glyph(self, text);
        if (column + glyph.cells > end)
            break;
        if (glyph.cells > 0)
            put(self, row, column, glyph.character, glyph.cells, look);
        else if (column > start)
            put_mark(self, row, column, glyph.character);
        column += glyph.cells;
        text += glyph.size;
    }
    *rest = text;
    return column;
}

/* Where a width that may be negative or huge ends. */
static int end_of(const canvas_t *self, int column, int width)
{
    if (width <= 0)
        return column;
    return column > self->columns || width > self->columns - column ? self->columns
                                                                    : column + width;
}

int canvas_text(canvas_t *self, int row, int column, int width, look_t look, const char *text)
{
    const int end = end_of(self, column, width);
    const char *rest = NULL;
    const int after = put_text(self, row, column, end, look, text, &rest);
    put_blanks(self, row, after, end, look);
    return after;
}

/* How many cells a text takes, or something beyond most: it isn't read any further. */
static int cells_of(const canvas_t *self, const char *text, int most)
{
    int cells = 0;
    while (*text && cells <= most) {
        const glyph_t glyph = first_glyph(self, text);
        cells += glyph.cells;
        text += glyph.size;
    }
    return cells;
}

int canvas_width(const canvas_t *self, const char *text)
{
    return cells_of(self, text, self->columns);
}

void canvas_text_right(canvas_t *self, int row, int column, int width, look_t look,
                       const char *text)
{
    const int cells = cells_of(self, text, width);
    const int start = cells < width ? column + width - cells : column;
    put_blanks(self, row, column, start < column + width ? start : column + width, look);
    canvas_text(self, row, start, column + width - start, look, text);
}

/* The end of a text that takes at most so many cells. */
static const char *tail_of(const canvas_t *self, const char *text, int cells)
{
    size_t begin = strlen(text);
    while (begin > 0) {
        const glyph_t glyph = last_glyph(self, text, begin);
        if (glyph.cells > cells)
            break;
        cells -= glyph.cells;
        begin -= glyph.size;
    }
    return text + begin;
}

void canvas_name(canvas_t *self, int row, int column, int width, look_t look, const char *name)
{
    const char *mark = self->utf8 ? "\u2026" : "...";
    const int kept = width - (self->utf8 ? 1 : 3);
    if (kept < 2 || cells_of(self, name, width) <= width) {
        canvas_text(self, row, column, width, look, name);
        return;
    }
    /* The same shares as in printable_shorten(). */
    const int end = column + width;
    const char *rest = NULL;
    column = put_text(self, row, column, column + kept - kept / 3, look, name, &rest);
    column = put_text(self, row, column, end, look, mark, &rest);
    canvas_text(self, row, column, end - column, look, tail_of(self, name, end - column));
}

int canvas_format(canvas_t *self, int row, int column, int width, look_t look, const char *format,
                  ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = memory_vformat(format, arguments);
    va_end(arguments);
    const int after = canvas_text(self, row, column, width, look, text);
    free(text);
    return after;
}

/* How many bytes of text are its next line of at most width cells; *next: where the one after it
 * begins. Lines are broken between words, and words that are too long anywhere. */
static size_t wrapped_line(const canvas_t *self, const char *text, int width, const char **next)
{
    const char *end = text;
    const char *blank_at = NULL;
    int cells = 0;
    while (*end && *end != '\n') {
        const glyph_t glyph = first_glyph(self, end);
        if (*end == ' ')
            blank_at = end;
        if (cells + glyph.cells > width && end > text)
            break;
        cells += glyph.cells;
        end += glyph.size;
    }
    if (*end && *end != '\n' && blank_at && blank_at > text)
        end = blank_at;
    *next = *end == '\n' ? end + 1 : end;
    if (*end == ' ')
        while (**next == ' ')
            ++*next;
    return (size_t)(end - text);
}

int canvas_wrapped(canvas_t *self, int row, int column, int width, int rows, int skip, look_t look,
                   const char *text)
{
    if (width < 1)
        return 0;
    int lines = 0;
    while (*text) {
        const char *next = NULL;
        const size_t size = wrapped_line(self, text, width, &next);
        if (lines >= skip && lines - skip < rows) {
            char *line = memory_copy(text, size);
            canvas_text(self, row + lines - skip, column, width, look, line);
            free(line);
        }
        lines++;
        text = next;
    }
    return lines;
}

void canvas_sparkline(canvas_t *self, int row, int column, int width, const double *values,
                      size_t count, double maximum, look_t look)
{
    static const wchar_t blocks[] = L"\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588";
    static const wchar_t ascii[] = L"_.-:=+*#";
    enum { LEVELS = 8 };

    if (width <= 0)
        return;
    const size_t shown = count < (size_t)width ? count : (size_t)width;
    values += count - shown;
    if (!(maximum > 0))
        for (size_t i = 0; i < shown; i++)
            maximum = fmax(maximum, isfinite(values[i]) ? values[i] : 0);
    put_blanks(self, row, column, column + width, look);
    column += width - (int)shown;
    for (size_t i = 0; i < shown; i++) {
        if (isnan(values[i]))
            continue;
        /* Only nothing at all has the lowest level. */
        int level = 0;
        if (values[i] > 0 && maximum > 0)
            level =
                values[i] >= maximum ? LEVELS - 1 : 1 + (int)(values[i] / maximum * (LEVELS - 1));
        if (level >= LEVELS)
            level = LEVELS - 1;
        put(self, row, column + (int)i, (self->utf8 ? blocks : ascii)[level], 1, look);
    }
}

void canvas_bar(canvas_t *self, int row, int column, int width, double part, look_t look)
{
    /* From an eighth to seven eighths. */
    static const wchar_t parts[] = L"\u258f\u258e\u258d\u258c\u258b\u258a\u2589";

    if (width <= 0)
        return;
    put_blanks(self, row, column, column + width, look);
    if (!(part > 0))
        return;
    const double cells = fmin(part, 1) * width;
    int whole = (int)cells;
    int eighths = (int)((cells - whole) * 8);
    if (whole == 0 && eighths == 0)
        eighths = 1; /* there is something */
    for (int i = 0; i < whole; i++)
        put(self, row, column + i, self->utf8 ? L'\u2588' : L'#', 1, look);
    if (eighths > 0 && self->utf8)
        put(self, row, column + whole, parts[eighths - 1], 1, look);
    else if (eighths >= 4 || (eighths > 0 && whole == 0))
        put(self, row, column + whole, eighths >= 4 ? L'=' : L'-', 1, look);
}

void canvas_set_look(canvas_t *self, int row, int column, int width, look_t look)
{
    const int end = end_of(self, column, width);
    for (int i = column < 0 ? 0 : column; i < end; i++) {
        cell_t *cell = cell_at(self, row, i);
        if (cell)
            cell->look = look;
    }
}

static void print_character(wchar_t character, FILE *out)
{
    char text[4];
    (void)fwrite(text, 1, printable_encode((uint32_t)character, text), out);
}

void canvas_print(const canvas_t *self, FILE *out)
{
    for (int row = 0; row < self->rows; row++) {
        int end = self->columns;
        while (end > 0 && canvas_cell(self, row, end - 1)->character == L' ')
            end--;
        for (int column = 0; column < end; column++) {
            const cell_t *cell = canvas_cell(self, row, column);
            if (cell->character)
                print_character(cell->character, out);
            if (cell->mark)
                print_character(cell->mark, out);
        }
        putc('\n', out);
    }
}
