/*
 * ui_parts: shared by the UI and its screens; nobody else includes it.
 */
#ifndef STEM_UI_PARTS_H
#define STEM_UI_PARTS_H

#include "monitor/view/live/ui/ui.h"

typedef struct screen screen_t;

typedef struct {
    const char *name; /* in the bar at the top */
    /* Takes a key; false: it means nothing here. */
    bool (*input)(screen_t *self, ui_t *ui, const ui_input_t *input, ui_request_t *request);
    /* Draws into rows [top, bottom) of the canvas. frame: what is shown now. */
    void (*draw)(screen_t *self, ui_t *ui, canvas_t *canvas, int top, int bottom,
                 const frame_t *frame);
    /* Its keys in the bar at the bottom: "Enter", "open", ..., NULL, NULL. */
    const char *const *(*keys)(const screen_t *self);
    void (*destroy)(screen_t **self);
} screen_methods_t;

struct screen {
    const screen_methods_t *methods;
    screen_t *below; /* in the stack */
};

/* Opens a screen above the present one, taking it over; goes back by one, unless it is the last. Of
 * many screens, only the first and the newest are kept. */
void ui_push(ui_t *self, screen_t *screen);
void ui_pop(ui_t *self);

/* The screens. What they are about is identified by id or identity: frames come and go. */
screen_t *screen_main_new(top_key_t key);
screen_t *screen_stream_new(uint64_t id);
screen_t *screen_server_new(uint64_t id);
screen_t *screen_finding_new(const char *identity);
screen_t *screen_servers_new(void);
screen_t *screen_help_new(void);

/* What is shown now; NULL: nothing yet. Valid until the next call of ui_draw() or ui_input(). */
const frame_t *ui_frame(const ui_t *self);

/* As it was given to ui_draw(). */
const ui_status_t *ui_status(const ui_t *self);

/* Whether a stream is to be shown at all, by the filter of the command line; what was typed behind
 * "/" is in a text, or matches it. Both are true if there is no filter. */
bool ui_takes(const ui_t *self, const char *stream_name);
bool ui_matches(const ui_t *self, const char *text);

/* What was typed; "" if nothing was. */
const char *ui_typed(const ui_t *self);

/* Changes whenever one of the two may answer differently. */
unsigned ui_filter_version(const ui_t *self);

/* A number of a stream or server in the newest `count` polls up to the one shown; see
 * timeline_trend(). */
void ui_trend(const ui_t *self, uint64_t id, trend_t kind, double *values, size_t count);

/*
 * For numbers that no trend is kept of: value(), called with a frame and context, of the newest
 * `count` polls up to the one shown, oldest first; NAN where the frame isn't kept.
 */
void ui_frame_values(const ui_t *self, double *values, size_t count,
                     double (*value)(const frame_t *frame, const void *context),
                     const void *context);

/* While drawing: a click on those cells is as good as that key. */
void ui_click_is_key(ui_t *self, int row, int column, int width, int32_t key);

/* Asks for "y" at the bottom; any other key means no. */
void ui_ask(ui_t *self, const char *question, ui_request_t (*yes)(ui_t *self));

/* Lets a line be edited at the bottom (a filter, a file's name): calls done() with what was typed,
 * or with NULL after Esc, and before that changed() (it may be NULL) with each key. */
void ui_edit(ui_t *self, const char *prompt, const char *text,
             void (*changed)(ui_t *self, const char *text),
             ui_request_t (*done)(ui_t *self, const char *text));

/* A list with a cursor, which stays on the same thing while rows come and go. */
typedef struct {
    size_t cursor; /* row */
    size_t first;  /* row that is drawn at the top */
} ui_list_t;

/* Moves it by a key, or by a wheel; rows: how many there are, height: how many are seen. False: not
 * its key. */
bool ui_list_input(ui_list_t *self, const ui_input_t *input, size_t rows, size_t height);

/* Moves the cursor to where its row is now, on the same line of the screen. */
void ui_list_follow(ui_list_t *self, size_t row);

/* Keeps it inside, and the cursor visible. */
void ui_list_settle(ui_list_t *self, size_t rows, size_t height);

#endif
