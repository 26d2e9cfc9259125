/*
 * facts: what is known of something, as lines of a label and a value.
 */
#ifndef STEM_FACTS_H
#define STEM_FACTS_H

#include <stddef.h>

#include "base/vector.h"
#include "monitor/view/live/ui/page.h"

typedef struct {
    const char *label;
    char *value;
    look_t look; /* of the value */
    bool wraps;  /* has as many lines as it needs; otherwise it is cut off */
} fact_t;

/* All 0 at first. */
typedef struct {
    vector_t list;    /* fact_t */
    canvas_t *canvas; /* that they are for */
} facts_t;

/* Empties it, for a drawing on that canvas. */
void facts_begin(facts_t *self, canvas_t *canvas);

/* Adds a line. label isn't copied; "": the value has all of the line. */
void facts_add(facts_t *self, look_t look, const char *label, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same, of a text that is wrapped. */
void facts_add_text(facts_t *self, look_t look, const char *label, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* How many rows they take. */
size_t facts_rows(const facts_t *self);

/* For a page_block_t, with the facts as context. */
void facts_draw(void *context, const page_part_t *part);

void facts_clear(facts_t *self);

#endif
