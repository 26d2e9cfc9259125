/*
 * ui_state: what the UI's own files share; screens don't include it.
 */
#ifndef STEM_UI_STATE_H
#define STEM_UI_STATE_H

#include "base/vector.h"
#include "monitor/view/live/ui/ui_parts.h"

/* Which poll is shown. */
typedef struct {
    timeline_t *timeline;
    size_t number;        /* SIZE_MAX: the newest, whichever that is */
    const frame_t *frame; /* or NULL; an older one while number isn't kept */
    size_t wanted;        /* see ui_wanted() */
    bool plays;
    double polls_per_second;
    double moved_at;        /* when the play came to this poll */
    unsigned char *trouble; /* of which kind each poll had any; see ui_time.c */
    size_t trouble_count;
    size_t trouble_capacity;
    bool has_forgotten; /* a poll was asked for that isn't kept any more: to be said once */
} ui_time_t;

/* A line that is being edited. */
typedef struct {
    char *prompt; /* NULL: none is */
    int32_t *characters;
    size_t count;
    size_t cursor;
    void (*changed)(ui_t *self, const char *text);
    ui_request_t (*done)(ui_t *self, const char *text);
} ui_edit_t;

/* A click on the slider: at input's column of a slider that is input's row wide. */
enum { UI_KEY_SLIDER = UI_KEY_FIRST + 1000 };

/* Cells that are as good as a key. */
typedef struct {
    int row;
    int column;
    int width;
    int32_t key;
} ui_spot_t;

struct ui {
    ui_time_t time;
    const filter_t *filter;
    char *typed;         /* behind "/"; "": nothing */
    char *typed_pattern; /* NULL: it has neither "*" nor "?" */
    unsigned filter_version;
    screen_t *screen; /* the one on top */
    screen_t *closed; /* in this call of ui_input(); freed at its end */
    ui_status_t status;
    char *recorded_into; /* copies of the status' strings */
    char *read;
    char *message;
    ui_edit_t edit;
    char *question; /* NULL: nothing is asked */
    ui_request_t (*yes)(ui_t *self);
    char *said;
    double said_until;
    double now;
    vector_t spots; /* ui_spot_t */
    bool wants_perf;
    char *record_path;
};

/* ---- ui_time.c ---- */

void ui_time_init(ui_time_t *self, timeline_t *timeline);
void ui_time_clear(ui_time_t *self);

/* Takes what is new over. can_read_again: what isn't kept may be had by reading it once more. */
void ui_time_update(ui_time_t *self, bool can_read_again);

/* Goes to a poll, or near it if there is no such; SIZE_MAX: to the newest, and stays there. */
void ui_time_go(ui_time_t *self, size_t number);

/* Takes a key that moves through time; false: it isn't one. is_live: servers are asked. */
bool ui_time_input(ui_time_t *self, const ui_input_t *input, bool is_live);

/* Plays on. Returns in how many seconds it will again, or NAN. */
double ui_time_tick(ui_time_t *self, double now);

bool ui_time_follows(const ui_time_t *self);

/* What moves time right now: "PAUSED, 12 polls since"; NULL: it shows the newest. The caller frees
 * it. */
char *ui_time_state(const ui_time_t *self);

/* The line with the slider. */
void ui_time_draw(ui_t *self, canvas_t *canvas, int row);

/* ---- ui_edit.c ---- */

void ui_edit_clear(ui_edit_t *self);
ui_request_t ui_edit_input(ui_t *self, const ui_input_t *input);
void ui_edit_draw(const ui_edit_t *self, canvas_t *canvas, int row);

/* ---- ui_bars.c ---- */

/* How many rows the header takes on a screen of so many. */
int ui_bars_header(const ui_t *self, int rows);
void ui_bars_draw_header(ui_t *self, canvas_t *canvas, int rows);
void ui_bars_draw_bottom(ui_t *self, canvas_t *canvas, int row);

#endif
