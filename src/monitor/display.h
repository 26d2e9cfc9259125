/*
 * display: what the monitor prints on standard output, in the format that the user asked for.
 */
#ifndef STEM_DISPLAY_H
#define STEM_DISPLAY_H

#include <stdbool.h>
#include <stddef.h>

#include "monitor/snapshot.h"
#include "monitor/summary_options.h"

typedef enum { FORMAT_TEXT, FORMAT_JSON, FORMAT_JSONL } format_t;

typedef struct {
    format_t format;
    bool no_color;
    summary_options_t summary; /* but its style, which is made from standard output */
} display_options_t;

typedef enum {
    DISPLAY_OK,
    DISPLAY_CLOSED, /* nobody reads it any more */
    DISPLAY_FAILED  /* something is lost; *error says what if that is new */
} display_result_t;

typedef struct display display_t;

/* stop_fd: see output.h. Never NULL. */
display_t *display_new(const display_options_t *options, int stop_fd);

/* Frees it and sets *self to NULL; *self may be NULL. */
void display_destroy(display_t **self);

/* Prints what changed from previous (see history.h; may be NULL) to current. */
display_result_t display_show(display_t *self, const snapshot_t *previous,
                              const snapshot_t *current, char **error);

/* Prints what came of the whole run. */
display_result_t display_end(display_t *self, char **error);

/*
 * On a terminal, shows a line that stands at the bottom until something else is printed; frees
 * text. Elsewhere does nothing but that.
 */
void display_status(display_t *self, char *text);

/* Takes that line away, for whoever else has something to say. */
void display_clear_status(display_t *self);

/* Whether there is such a line, so that it is worth keeping up to date. */
bool display_has_status(const display_t *self);

/* Events lost so far. */
long long display_lost_events(const display_t *self);

#endif
