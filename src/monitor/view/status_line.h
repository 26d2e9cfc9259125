/*
 * status_line: the line at the bottom of a terminal that says what is going on, until something
 * else is printed.
 */
#ifndef STEM_STATUS_LINE_H
#define STEM_STATUS_LINE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/outlet.h"

typedef struct {
    outlet_t *outlet; /* of standard output; it stays the caller's */
    bool is_there;    /* on the terminal now */
} status_line_t;

/* Shows text, which it makes printable and as short as the line, unless something is waiting. */
void status_line_show(status_line_t *self, const char *text);

/* Takes the line away. */
void status_line_clear(status_line_t *self);

/* Takes it away at the beginning of a text to be printed. */
void status_line_begin(const status_line_t *self, FILE *out);

#endif
