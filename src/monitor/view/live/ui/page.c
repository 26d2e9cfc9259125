#include "monitor/view/live/ui/page.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { WHEEL_ROWS = 3 };

void page_clear(page_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        free(self->blocks[i].section);
    self->count = 0;
}

void page_begin(page_t *self)
{
    page_clear(self);
}

void page_add(page_t *self, page_block_t block)
{
    if (self->count < PAGE_BLOCKS)
        self->blocks[self->count++] = block;
    else
        free(block.section);
}

/* ---- where things are ---- */

/* The rows above those of a block: of a section, and of its own heading. */
static size_t section_rows(const page_block_t *block)
{
    return block->section != NULL;
}

static size_t above(const page_block_t *block)
{
    return section_rows(block) + block->heads;
}

static size_t start_of(const page_t *self, size_t block)
{
    size_t row = 0;
    for (size_t i = 0; i < block; i++)
        row += above(&self->blocks[i]) + self->blocks[i].rows;
    return row;
}

static size_t all_rows(const page_t *self)
{
    return start_of(self, self->count);
}

static size_t maximum_first(const page_t *self)
{
    const size_t rows = all_rows(self);
    return rows > self->height ? rows - self->height : 0;
}

static size_t row_of(const page_t *self, size_t block, size_t item)
{
    return start_of(self, block) + above(&self->blocks[block]) +
           (self->blocks[block].items_share_row ? 0 : item);
}

/* The first row that isn't covered by a heading that stays in sight. */
static size_t top_for(const page_t *self, size_t block)
{
    return self->first + (self->blocks[block].heads && self->height > 1);
}

static bool is_seen(const page_t *self, size_t block, size_t item)
{
    const size_t row = row_of(self, block, item);
    return row >= top_for(self, block) && row < self->first + self->height;
}

static bool is_cursor_seen(const page_t *self)
{
    return self->has_cursor && is_seen(self, self->block, self->item);
}

static void scroll_to_see(page_t *self, size_t block, size_t item)
{
    const size_t row = row_of(self, block, item);
    const size_t covered = top_for(self, block) - self->first;
    if (row >= self->first + self->height)
        self->first = row + 1 - self->height;
    else if (row < self->first + covered)
        self->first = row - (covered < row ? covered : row);
}

/* ---- the cursor ---- */

static page_target_t target_of(const page_t *self, size_t block, size_t item)
{
    const page_block_t *it = &self->blocks[block];
    return it->target ? it->target(it->context, item)
                      : (page_target_t){.kind = PAGE_NOTHING, .index = PAGE_NONE};
}

static void set_cursor(page_t *self, size_t block, size_t item)
{
    self->has_cursor = true;
    self->block = block;
    self->item = item;
    self->target = target_of(self, block, item);
}

static bool is_same(page_target_t a, page_target_t b)
{
    return a.kind == b.kind && a.id == b.id;
}

static bool find_in(page_t *self, size_t block, page_target_t target)
{
    for (size_t item = 0; item < self->blocks[block].items; item++)
        if (is_same(target_of(self, block, item), target)) {
            set_cursor(self, block, item);
            return true;
        }
    return false;
}

/* The item before or after another one; false: there is none. */
static bool step(const page_t *self, bool down, size_t *block, size_t *item)
{
    if (down ? *item + 1 < self->blocks[*block].items : *item > 0) {
        *item += down ? 1 : SIZE_MAX;
        return true;
    }
    for (size_t other = *block; down ? ++other < self->count : other-- > 0;)
        if (self->blocks[other].items > 0) {
            *block = other;
            *item = down ? 0 : self->blocks[other].items - 1;
            return true;
        }
    return false;
}

/* The item that is seen first or last; false: none is. */
static bool seen_item(const page_t *self, bool from_top, size_t *block, size_t *item)
{
    for (size_t i = 0; i < self->count; i++) {
        const size_t at = from_top ? i : self->count - 1 - i;
        const page_block_t *it = &self->blocks[at];
        if (it->items == 0)
            continue;
        const size_t top = top_for(self, at);
        const size_t end = self->first + self->height;
        const size_t start = row_of(self, at, 0);
        const size_t last = it->items_share_row ? start : start + it->items - 1;
        if (last < top || start >= end)
            continue;
        *block = at;
        if (it->items_share_row)
            *item = from_top ? 0 : it->items - 1;
        else if (from_top)
            *item = start < top ? top - start : 0;
        else
            *item = last < end ? it->items - 1 : end - 1 - start;
        return true;
    }
    return false;
}

/* If the cursor isn't seen, it goes to where it is. */
static void bring_cursor(page_t *self, bool to_top)
{
    size_t block = 0;
    size_t item = 0;
    if (!is_cursor_seen(self) && seen_item(self, to_top, &block, &item))
        set_cursor(self, block, item);
}

/* Finds the cursor's item again after the page was composed anew. */
static void settle_cursor(page_t *self)
{
    const bool is_there = self->has_cursor && self->block < self->count &&
                          self->item < self->blocks[self->block].items;
    if (self->has_cursor && self->target.kind != PAGE_NOTHING &&
        !(is_there && is_same(target_of(self, self->block, self->item), self->target))) {
        bool found = self->block < self->count && find_in(self, self->block, self->target);
        for (size_t i = 0; !found && i < self->count; i++)
            found = find_in(self, i, self->target);
        if (found)
            return;
    }
    if (is_there)
        set_cursor(self, self->block, self->item); /* what is in its place now */
    else if (self->has_cursor && self->block < self->count && self->blocks[self->block].items > 0)
        set_cursor(self, self->block, self->blocks[self->block].items - 1);
    else
        self->has_cursor = false;
}

/* ---- drawing ---- */

static void draw_section(canvas_t *canvas, int row, int width, const char *title)
{
    const char *line = canvas_is_utf8(canvas) ? "\u2500" : "-";
    int column = canvas_text(canvas, row, 0, width, LOOK_BOLD, title) + 1;
    for (; column < width; column++)
        canvas_text(canvas, row, column, 1, LOOK_DIM, line);
}

static void draw_block(const page_t *self, size_t index, canvas_t *canvas)
{
    const page_block_t *block = &self->blocks[index];
    const size_t start = start_of(self, index);
    const size_t data = start + above(block);
    const size_t end = self->first + self->height;
    const int width = canvas_columns(canvas);
    if (block->section && start >= self->first && start < end)
        draw_section(canvas, self->top + (int)(start - self->first), width, block->section);
    if (block->rows == 0 || data + block->rows <= self->first || data - block->heads >= end)
        return;
    page_part_t part = {
        .canvas = canvas, .width = width, .heads = block->heads, .selected = PAGE_NONE};
    const size_t covered = block->heads && self->height > 1 ? 1 : 0;
    part.heads = block->heads && (covered > 0 || data > self->first);
    const size_t begin = data - part.heads > self->first ? data : self->first + part.heads;
    part.row = self->top + (int)(begin - part.heads - self->first);
    part.from = begin - data;
    if (part.from >= block->rows)
        return;
    part.count = block->rows - part.from;
    if (part.count > end - begin)
        part.count = end > begin ? end - begin : 0;
    if (is_cursor_seen(self) && self->block == index)
        part.selected = self->item;
    block->draw(block->context, &part);
}

void page_draw(page_t *self, canvas_t *canvas, int top, int bottom)
{
    if (bottom <= top || canvas_columns(canvas) <= 0)
        return;
    self->top = top;
    self->height = (size_t)(bottom - top);
    const size_t rows = all_rows(self);
    const bool tells = rows > self->height && self->height > 2;
    self->height -= tells;
    settle_cursor(self);
    if (self->was_seen && self->has_cursor)
        scroll_to_see(self, self->block, self->item);
    if (self->first > maximum_first(self))
        self->first = maximum_first(self);
    bring_cursor(self, true);
    self->was_seen = is_cursor_seen(self);
    for (size_t i = 0; i < self->count; i++)
        draw_block(self, i, canvas);
    if (!tells)
        return;
    char *text =
        memory_format("rows %zu-%zu of %zu", self->first + 1, self->first + self->height, rows);
    canvas_text_right(canvas, bottom - 1, 0, canvas_columns(canvas), LOOK_DIM, text);
    free(text);
}

/* ---- keys ---- */

static void scroll_by(page_t *self, bool down, size_t rows)
{
    const size_t maximum = maximum_first(self);
    if (down)
        self->first = rows < maximum - self->first ? self->first + rows : maximum;
    else
        self->first -= rows < self->first ? rows : self->first;
    bring_cursor(self, down);
}

/* To the next item, if it is seen after scrolling by a row. */
static void move(page_t *self, bool down)
{
    size_t block = self->block;
    size_t item = self->item;
    const bool found = is_cursor_seen(self) ? step(self, down, &block, &item)
                                            : seen_item(self, down, &block, &item);
    if (!found || !is_seen(self, block, item)) {
        scroll_by(self, down, 1);
        if (!found || !is_seen(self, block, item))
            return;
    }
    set_cursor(self, block, item);
}

static void turn_page(page_t *self, bool down)
{
    const size_t before = self->first;
    scroll_by(self, down, self->height > 1 ? self->height - 1 : 1);
    size_t block = 0;
    size_t item = 0;
    /* At the end, the cursor goes there. */
    const bool to_top = self->first == before ? !down : down;
    if (seen_item(self, to_top, &block, &item))
        set_cursor(self, block, item);
}

static void go_to_end(page_t *self, bool down)
{
    self->first = down ? maximum_first(self) : 0;
    size_t block = 0;
    size_t item = 0;
    if (seen_item(self, !down, &block, &item))
        set_cursor(self, block, item);
}

/* The block whose section row `first` or the cursor is in. */
static size_t present_section(const page_t *self)
{
    if (self->section < self->count)
        return self->section;
    size_t section = 0;
    for (size_t i = 0; i < self->count; i++) {
        const bool reached =
            is_cursor_seen(self) ? i <= self->block : start_of(self, i) <= self->first;
        if (reached && self->blocks[i].section)
            section = i;
    }
    return section;
}

static void next_section(page_t *self, bool down)
{
    const size_t present = present_section(self);
    for (size_t i = 1; i <= self->count; i++) {
        const size_t at = (present + (down ? i : self->count - i)) % self->count;
        if (!self->blocks[at].section && at != 0)
            continue;
        const size_t start = start_of(self, at);
        self->first = start < maximum_first(self) ? start : maximum_first(self);
        size_t last = at; /* the blocks without a section behind it belong to it */
        while (last + 1 < self->count && !self->blocks[last + 1].section)
            last++;
        for (size_t j = at; j <= last; j++)
            if (self->blocks[j].items > 0 && is_seen(self, j, 0)) {
                set_cursor(self, j, 0);
                break;
            }
        bring_cursor(self, true);
        self->section = at;
        return;
    }
}

static void click(page_t *self, const ui_input_t *input)
{
    if (input->row < self->top || (size_t)(input->row - self->top) >= self->height)
        return;
    const size_t row = self->first + (size_t)(input->row - self->top);
    for (size_t i = 0; i < self->count; i++) {
        const page_block_t *block = &self->blocks[i];
        const size_t start = start_of(self, i) + above(block);
        if (row < start || row < top_for(self, i) || block->items == 0)
            continue;
        size_t item = row - start;
        if (block->items_share_row)
            item = row < start + block->rows && block->item_at
                       ? block->item_at(block->context, input->column)
                       : PAGE_NONE;
        if (item < block->items)
            set_cursor(self, i, item);
    }
}

static bool take_key(page_t *self, const ui_input_t *input)
{
    switch (input->key) {
    case UI_KEY_UP:
    case UI_KEY_DOWN:
    case 'k':
    case 'j':
        move(self, input->key == UI_KEY_DOWN || input->key == 'j');
        return true;
    case UI_KEY_PAGE_UP:
    case UI_KEY_PAGE_DOWN:
        turn_page(self, input->key == UI_KEY_PAGE_DOWN);
        return true;
    case UI_KEY_HOME:
    case UI_KEY_END:
    case 'g':
    case 'G':
        go_to_end(self, input->key == UI_KEY_END || input->key == 'G');
        return true;
    case UI_KEY_WHEEL_UP:
    case UI_KEY_WHEEL_DOWN:
        scroll_by(self, input->key == UI_KEY_WHEEL_DOWN, WHEEL_ROWS);
        return true;
    case UI_KEY_CLICK:
        click(self, input);
        return true;
    default:
        return false;
    }
}

bool page_input(page_t *self, const ui_input_t *input)
{
    if (self->count == 0)
        return false;
    const bool is_tab = input->key == UI_KEY_TAB || input->key == UI_KEY_BACK_TAB;
    if (is_tab)
        next_section(self, input->key == UI_KEY_TAB);
    else if (take_key(self, input))
        self->section = PAGE_NONE;
    else
        return false;
    self->was_seen = is_cursor_seen(self);
    return true;
}

page_target_t page_target(const page_t *self)
{
    return is_cursor_seen(self) ? self->target
                                : (page_target_t){.kind = PAGE_NOTHING, .index = PAGE_NONE};
}

size_t page_selected(const page_t *self, size_t block)
{
    return self->has_cursor && self->block == block ? self->item : PAGE_NONE;
}
