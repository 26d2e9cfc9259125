#include "monitor/view/live/ui/ui_parts.h"

enum { WHEEL_ROWS = 3 };

void ui_list_settle(ui_list_t *self, size_t rows, size_t height)
{
    if (self->cursor >= rows)
        self->cursor = rows > 0 ? rows - 1 : 0;
    if (self->first > self->cursor)
        self->first = self->cursor;
    if (height > 0 && self->cursor - self->first >= height)
        self->first = self->cursor - height + 1;
    /* No empty rows below while there are some above. */
    const size_t last_first = rows > height ? rows - height : 0;
    if (self->first > last_first)
        self->first = last_first;
}

void ui_list_follow(ui_list_t *self, size_t row)
{
    const size_t line = self->cursor - self->first;
    self->cursor = row;
    self->first = row > line ? row - line : 0;
}

static void move_up(ui_list_t *self, size_t by)
{
    self->cursor -= by < self->cursor ? by : self->cursor;
}

bool ui_list_input(ui_list_t *self, const ui_input_t *input, size_t rows, size_t height)
{
    const size_t page = height > 1 ? height - 1 : 1;
    switch (input->key) {
    case UI_KEY_UP:
    case 'k':
        move_up(self, 1);
        break;
    case UI_KEY_DOWN:
    case 'j':
        self->cursor++;
        break;
    case UI_KEY_PAGE_UP:
        move_up(self, page);
        self->first -= page < self->first ? page : self->first;
        break;
    case UI_KEY_PAGE_DOWN:
        self->cursor += page;
        self->first += page;
        break;
    case UI_KEY_HOME:
    case 'g':
        self->cursor = 0;
        break;
    case UI_KEY_END:
    case 'G':
        self->cursor = rows;
        break;
    case UI_KEY_WHEEL_UP:
        move_up(self, WHEEL_ROWS);
        break;
    case UI_KEY_WHEEL_DOWN:
        self->cursor += WHEEL_ROWS;
        break;
    default:
        return false;
    }
    ui_list_settle(self, rows, height);
    return true;
}
