/*
 * ui: what the live view's screens are, which keys they take, and how they are drawn on a canvas.
 * It knows neither the terminal nor threads, so that tests press keys and look at the canvas.
 *
 * Screens form a stack: Enter opens one above, Esc goes back. Each is a file of its own with a
 * screen_methods_t.
 */
#ifndef STEM_UI_H
#define STEM_UI_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/view/live/drawing/canvas.h"
#include "monitor/view/live/frames/frame.h"
#include "monitor/view/live/frames/timeline.h"
#include "monitor/view/ranking.h"

/* Keys beside Unicode characters; the terminal's file translates. */
enum {
    UI_KEY_FIRST = 0x110000,
    UI_KEY_UP = UI_KEY_FIRST,
    UI_KEY_DOWN,
    UI_KEY_LEFT,
    UI_KEY_RIGHT,
    UI_KEY_PAGE_UP,
    UI_KEY_PAGE_DOWN,
    UI_KEY_HOME,
    UI_KEY_END,
    UI_KEY_ENTER,
    UI_KEY_ESCAPE,
    UI_KEY_BACKSPACE,
    UI_KEY_DELETE,
    UI_KEY_TAB,
    UI_KEY_BACK_TAB,
    UI_KEY_CLICK, /* with a row and a column */
    UI_KEY_DOUBLE_CLICK,
    UI_KEY_WHEEL_UP,
    UI_KEY_WHEEL_DOWN,
};

typedef struct {
    int32_t key; /* a Unicode character, or one of the above */
    int row;     /* of a click */
    int column;
} ui_input_t;

/* What the user wants that the UI can't do by itself. */
typedef enum {
    UI_NOTHING,
    UI_QUIT,
    UI_SET_PERF, /* ui_wants_perf() */
    UI_RECORD,   /* ui_record_path() */
    UI_REDRAW    /* something else has written to the terminal */
} ui_request_t;

/* What the monitor does, for the header. */
typedef struct {
    bool is_live;              /* servers are asked; otherwise a recording is read */
    bool is_asking;            /* right now */
    double seconds_to_poll;    /* otherwise; NAN: never */
    double seconds_since_poll; /* since the last one; NAN: none yet */
    double poll_period;        /* seconds */
    bool perf_on;              /* performance monitoring was switched on by us */
    const char *recorded_into; /* a file's name, or NULL */
    const char *read;          /* the recording that is shown, or NULL */
    double read_part;          /* how much of it was read, 0 to 1; NAN: not known */
    bool can_read_again;       /* it is a file */
    const char *message;       /* the newest message, or NULL */
} ui_status_t;

/* That nothing is known yet. */
#define UI_STATUS_NONE                                                                             \
    ((ui_status_t){.seconds_to_poll = NAN, .seconds_since_poll = NAN, .read_part = NAN})

typedef struct ui ui_t;

/*
 * timeline and filter stay the caller's, and have to live as long. key: what streams are sorted by
 * at first; filter: what is shown at all. Never NULL.
 */
ui_t *ui_new(timeline_t *timeline, top_key_t key, const filter_t *filter);
void ui_destroy(ui_t **self);

/* Takes a key. */
ui_request_t ui_input(ui_t *self, const ui_input_t *input);

/* Time goes on: plays a recording, say. To be called before each ui_draw(). now: see
 * monotonic_seconds(). Returns in how many seconds it wants to be called again, at the latest; NAN:
 * not by itself. */
double ui_tick(ui_t *self, double now);

/* Draws everything; the canvas has the screen's size. */
void ui_draw(ui_t *self, canvas_t *canvas, const ui_status_t *status);

bool ui_wants_perf(const ui_t *self);
const char *ui_record_path(const ui_t *self);

/* The number of a poll that is to be shown, but isn't kept, so that the recording has to be read
 * once more; SIZE_MAX: there is none. May change with each call of ui_input(), ui_tick() and
 * ui_draw(). */
size_t ui_wanted(const ui_t *self);

/* Shows a line at the bottom for some seconds: what came of a request. */
void ui_say(ui_t *self, const char *line);

#endif
