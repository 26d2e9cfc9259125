/*
 * curses: a terminal, by ncursesw: shows canvases and reads keys.
 *
 * Used by one thread, which may be blocked in writing for as long as the terminal is stopped
 * (Ctrl-S, a network that hangs); only curses_abandon() is for others. Signals are none of its
 * business: SIGWINCH, SIGTSTP and SIGCONT are taken by its caller, and it leaves no handler of
 * ncurses installed. The terminal goes on making SIGINT, SIGQUIT and SIGTSTP of keys.
 */
#ifndef STEM_CURSES_H
#define STEM_CURSES_H

#include <stdbool.h>

#include "monitor/view/live/drawing/canvas.h"
#include "monitor/view/live/ui/ui.h"

typedef struct curses curses_t;

/*
 * Takes a terminal over: keys from in, the screen to out; both stay the caller's. NULL if it can't
 * do what is needed: *error is one line, which the caller frees, and the terminal is as before.
 */
curses_t *curses_new(int in, int out, bool no_color, char **error);

/* Gives the terminal back as it was, frees everything and sets *self to NULL; *self may be NULL. */
void curses_destroy(curses_t **self);

/* Gives it back for a while, and takes it again: then everything is drawn anew. */
void curses_suspend(curses_t *self);
void curses_resume(curses_t *self);

/* The terminal's size now; at least 1 each. */
void curses_size(curses_t *self, int *rows, int *columns);

/* Shows a canvas of that size; only what differs is sent. */
void curses_show(curses_t *self, const canvas_t *canvas);

/* The next time everything is drawn anew: something else has written to the terminal. */
void curses_forget(curses_t *self);

/* Takes a key that was typed, without waiting for one. False: there is none (more). in is readable
 * when there is one, unless this left some. */
bool curses_read(curses_t *self, ui_input_t *input);

/*
 * Gives the terminal back as well as can be, without waiting for it, while its own thread may be
 * anywhere: modes are restored, and a stopped terminal is started again. Any thread and signal
 * handler; self is of no use to anybody afterwards, and is left as it is.
 */
void curses_abandon(const curses_t *self);

#endif
