#include "monitor/view/live/ui/facts.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/memory.h"

enum { INDENT = 1, LABEL_WIDTH = 16 };

void facts_clear(facts_t *self)
{
    fact_t *facts = self->list.items;
    for (size_t i = 0; i < self->list.count; i++)
        free(facts[i].value);
    free(facts);
    self->list = (vector_t){.item_size = sizeof(fact_t)};
}

void facts_begin(facts_t *self, canvas_t *canvas)
{
    facts_clear(self);
    self->canvas = canvas;
}

static void add(facts_t *self, look_t look, const char *label, bool wraps, const char *format,
                va_list arguments)
{
    fact_t *fact = vector_add(&self->list);
    *fact = (fact_t){
        .label = label,
        .value = memory_vformat(format, arguments),
        .look = look,
        .wraps = wraps,
    };
}

void facts_add(facts_t *self, look_t look, const char *label, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(self, look, label, false, format, arguments);
    va_end(arguments);
}

void facts_add_text(facts_t *self, look_t look, const char *label, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(self, look, label, true, format, arguments);
    va_end(arguments);
}

static int value_column(const facts_t *self, const fact_t *fact)
{
    /* On a very narrow screen the value matters more. */
    const int column = *fact->label ? INDENT + LABEL_WIDTH : INDENT;
    return column < canvas_columns(self->canvas) / 2 ? column : INDENT;
}

/* Draws at most rows of its rows, from row `skip` on; returns how many it has. */
static size_t draw_fact(const facts_t *self, const fact_t *fact, int row, size_t skip, size_t rows)
{
    const int column = value_column(self, fact);
    const int width = canvas_columns(self->canvas) - column;
    if (rows > 0 && skip == 0 && column > INDENT)
        canvas_text(self->canvas, row, INDENT, LABEL_WIDTH - 1, LOOK_DIM, fact->label);
    if (!fact->wraps && rows > 0)
        canvas_text(self->canvas, row, column, width, fact->look, fact->value);
    if (!fact->wraps)
        return 1;
    const int lines = canvas_wrapped(self->canvas, row, column, width, (int)rows, (int)skip,
                                     fact->look, fact->value);
    return lines > 0 ? (size_t)lines : 1;
}

static size_t rows_of(const facts_t *self, const fact_t *fact)
{
    return draw_fact(self, fact, 0, 0, 0);
}

size_t facts_rows(const facts_t *self)
{
    const fact_t *facts = self->list.items;
    size_t rows = 0;
    for (size_t i = 0; i < self->list.count; i++)
        rows += rows_of(self, &facts[i]);
    return rows;
}

void facts_draw(void *context, const page_part_t *part)
{
    const facts_t *self = context;
    const fact_t *facts = self->list.items;
    size_t start = 0;
    const size_t end = part->from + part->count;
    for (size_t i = 0; i < self->list.count && start < end; i++) {
        const size_t rows = rows_of(self, &facts[i]);
        if (start + rows > part->from) {
            const size_t first = start < part->from ? part->from : start;
            const size_t last = start + rows < end ? start + rows : end;
            draw_fact(self, &facts[i], part->row + (int)(first - part->from), first - start,
                      last - first);
        }
        start += rows;
    }
    if (part->selected != PAGE_NONE && part->selected >= part->from)
        canvas_set_look(part->canvas, part->row + (int)(part->selected - part->from), 0,
                        part->width, LOOK_SELECTED);
}
