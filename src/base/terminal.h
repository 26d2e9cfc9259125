/*
 * terminal: what a terminal can do that a file can't.
 */
#ifndef STEM_TERMINAL_H
#define STEM_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

typedef enum { COLOR_NONE, COLOR_ALARM, COLOR_WARNING, COLOR_GOOD, COLOR_HEADING } color_t;

/* How text is to look. */
typedef struct {
    size_t width; /* cells of a line; 0: as long as it gets */
    bool color;
} text_style_t;

/* Whether fd is a terminal that knows how to move its cursor (not TERM=dumb). */
bool terminal_is_capable(int fd);

/* How many cells a line of it has; 0 if that isn't known. */
size_t terminal_width(int fd);

/*
 * Whether fd is a terminal that would stop us for writing to it: we are a background job, and "stty
 * tostop" is set. With SIGTTOU ignored it accepts output nevertheless.
 */
bool terminal_forbids_output(int fd);

/* Whether the user's environment forbids colour (NO_COLOR, see no-color.org). */
bool terminal_no_color(void);

/* The escape sequence that switches to a colour, or back to none; "" unless on. */
const char *terminal_color(color_t color, bool on);

#endif
