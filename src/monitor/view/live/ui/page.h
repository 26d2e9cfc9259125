/*
 * page: what a detail screen shows: blocks of rows, one below the other, that scroll as a whole.
 * Only what is seen is drawn, so a block may have any number of rows.
 *
 * A page is composed anew for each drawing: page_begin(), page_add(), ..., page_draw(). Some rows
 * can be selected: they are items. The cursor stays on the same item while blocks grow and shrink,
 * and is always one that is seen, if there is one.
 */
#ifndef STEM_PAGE_H
#define STEM_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/view/live/drawing/canvas.h"
#include "monitor/view/live/ui/ui.h"

#define PAGE_NONE SIZE_MAX

typedef enum { PAGE_NOTHING, PAGE_STREAM, PAGE_SERVER, PAGE_FINDING } page_kind_t;

/* What an item is about. */
typedef struct {
    page_kind_t kind;
    uint64_t id;  /* tells it from others of its kind */
    size_t index; /* in the frame that is shown */
} page_target_t;

/* The part of a block that is to be drawn. */
typedef struct {
    canvas_t *canvas;
    int row;            /* of the canvas, where it begins */
    int width;          /* of the page, from column 0 */
    bool heads;         /* that row is for the heading, and rows follow below it */
    size_t from, count; /* rows of the block */
    size_t selected;    /* item, or PAGE_NONE */
} page_part_t;

typedef struct {
    char *section; /* the heading of a section begins with it, NULL: it goes on. Heap; the page's */
    size_t rows;
    bool heads; /* has a heading of its own, which stays in sight */
    size_t items;
    bool items_share_row; /* all of them are in row 0; otherwise item i is row i */
    void (*draw)(void *context, const page_part_t *part);
    /* NULL: items are about nothing. */
    page_target_t (*target)(void *context, size_t item);
    /* The item at a column; for those that share a row. */
    size_t (*item_at)(void *context, int column);
    void *context; /* valid until the page is composed again */
} page_block_t;

enum { PAGE_BLOCKS = 16 };

/* All 0 at first. */
typedef struct {
    page_block_t blocks[PAGE_BLOCKS];
    size_t count;
    size_t first;  /* row that is seen at the top */
    size_t height; /* rows that were seen */
    int top;       /* row of the canvas */
    bool has_cursor;
    bool was_seen; /* the cursor */
    size_t block;  /* of the cursor */
    size_t item;
    page_target_t target; /* what it is about */
    size_t section;       /* that Tab went to; PAGE_NONE after other keys */
} page_t;

void page_begin(page_t *self);
void page_add(page_t *self, page_block_t block);

/* Draws it into rows [top, bottom). */
void page_draw(page_t *self, canvas_t *canvas, int top, int bottom);

/* Takes a key that scrolls or moves the cursor; false: it is none. */
bool page_input(page_t *self, const ui_input_t *input);

/* What the cursor is on, as of the last drawing; PAGE_NOTHING: there is nothing to open. */
page_target_t page_target(const page_t *self);

/* The item of a block that has the cursor; PAGE_NONE: it is elsewhere. */
size_t page_selected(const page_t *self, size_t block);

void page_clear(page_t *self);

#endif
