#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/printable.h"
#include "monitor/view/live/ui/ui_state.h"

/* No name that somebody types is longer. */
enum { LONGEST = 1024 };

enum {
    KEY_CTRL_A = 1,
    KEY_CTRL_C = 3,
    KEY_CTRL_E = 5,
    KEY_CTRL_K = 11,
    KEY_CTRL_U = 21,
    KEY_CTRL_W = 23
};

void ui_edit_clear(ui_edit_t *self)
{
    free(self->prompt);
    free(self->characters);
    *self = (ui_edit_t){0};
}

void ui_edit(ui_t *self, const char *prompt, const char *text,
             void (*changed)(ui_t *self, const char *text),
             ui_request_t (*done)(ui_t *self, const char *text))
{
    ui_edit_t *edit = &self->edit;
    ui_edit_clear(edit);
    edit->prompt = memory_string(prompt);
    edit->characters = memory_new(LONGEST, sizeof *edit->characters);
    edit->changed = changed;
    edit->done = done;
    while (*text && edit->count < LONGEST) {
        uint32_t character = 0;
        const size_t size = printable_decode(text, &character);
        edit->characters[edit->count++] = size ? (int32_t)character : '?';
        text += size ? size : 1;
    }
    edit->cursor = edit->count;
}

/* Characters from index `from` to before `to`, as UTF-8; the caller frees it. */
static char *text_between(const ui_edit_t *self, size_t from, size_t to)
{
    enum { LONGEST_CHARACTER = 4 };
    char *text = memory_new((to - from) * LONGEST_CHARACTER + 1, 1);
    size_t size = 0;
    for (size_t i = from; i < to; i++)
        size += printable_encode((uint32_t)self->characters[i], text + size);
    return text;
}

static void remove_between(ui_edit_t *self, size_t from, size_t to)
{
    memmove(self->characters + from, self->characters + to,
            (self->count - to) * sizeof *self->characters);
    self->count -= to - from;
    self->cursor = from;
}

static void insert(ui_edit_t *self, int32_t character)
{
    if (self->count == LONGEST)
        return;
    memmove(self->characters + self->cursor + 1, self->characters + self->cursor,
            (self->count - self->cursor) * sizeof *self->characters);
    self->characters[self->cursor++] = character;
    self->count++;
}

/* Where the word before the cursor begins. */
static size_t word_before(const ui_edit_t *self)
{
    size_t begin = self->cursor;
    while (begin > 0 && self->characters[begin - 1] == ' ')
        begin--;
    while (begin > 0 && self->characters[begin - 1] != ' ')
        begin--;
    return begin;
}

/* Whether it was a key that changes the text. */
static bool change(ui_edit_t *self, int32_t key)
{
    switch (key) {
    case UI_KEY_BACKSPACE:
        if (self->cursor > 0)
            remove_between(self, self->cursor - 1, self->cursor);
        return true;
    case UI_KEY_DELETE:
        if (self->cursor < self->count)
            remove_between(self, self->cursor, self->cursor + 1);
        return true;
    case KEY_CTRL_U:
        remove_between(self, 0, self->cursor);
        return true;
    case KEY_CTRL_K:
        remove_between(self, self->cursor, self->count);
        return true;
    case KEY_CTRL_W:
        remove_between(self, word_before(self), self->cursor);
        return true;
    default:
        if (key >= UI_KEY_FIRST || key < ' ' || !printable_shows((uint32_t)key))
            return false;
        insert(self, key);
        return true;
    }
}

static void move(ui_edit_t *self, int32_t key)
{
    if (key == UI_KEY_LEFT && self->cursor > 0)
        self->cursor--;
    else if (key == UI_KEY_RIGHT && self->cursor < self->count)
        self->cursor++;
    else if (key == UI_KEY_HOME || key == KEY_CTRL_A)
        self->cursor = 0;
    else if (key == UI_KEY_END || key == KEY_CTRL_E)
        self->cursor = self->count;
}

ui_request_t ui_edit_input(ui_t *self, const ui_input_t *input)
{
    ui_edit_t *edit = &self->edit;
    if (input->key == KEY_CTRL_C)
        return UI_QUIT;
    if (input->key == UI_KEY_ENTER || input->key == UI_KEY_ESCAPE) {
        /* done() may begin another line. */
        char *text = input->key == UI_KEY_ENTER ? text_between(edit, 0, edit->count) : NULL;
        ui_request_t (*done)(ui_t *, const char *) = edit->done;
        ui_edit_clear(edit);
        const ui_request_t request = done(self, text);
        free(text);
        return request;
    }
    if (!change(edit, input->key)) {
        move(edit, input->key);
    } else if (edit->changed) {
        char *text = text_between(edit, 0, edit->count);
        edit->changed(self, text);
        free(text);
    }
    return UI_NOTHING;
}

void ui_edit_draw(const ui_edit_t *self, canvas_t *canvas, int row)
{
    const int columns = canvas_columns(canvas);
    int column = canvas_text(canvas, row, 0, columns, LOOK_BOLD, self->prompt);
    /* What is before the cursor moves out to the left. */
    char *before = text_between(self, 0, self->cursor);
    const char *seen = before;
    while (*seen && column + canvas_width(canvas, seen) >= columns) {
        uint32_t character = 0;
        seen += printable_decode(seen, &character);
    }
    column = canvas_text(canvas, row, column, columns - column, LOOK_PLAIN, seen);
    char *after = text_between(self, self->cursor, self->count);
    canvas_text(canvas, row, column, columns - column, LOOK_PLAIN, *after ? after : " ");
    canvas_set_look(canvas, row, column, 1, LOOK_SELECTED);
    free(before);
    free(after);
}
