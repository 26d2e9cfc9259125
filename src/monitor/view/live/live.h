/*
 * live: --live: shows observations in a terminal, and takes keys.
 *
 * The terminal belongs to a thread of its own, which draws the newest frames and reads keys, so
 * that it goes on while servers are asked and don't answer, and so that nobody waits for a terminal
 * that is stopped. What the user wants is done by the loop between two polls: the sink's fd()
 * becomes readable, and ready() calls the controls.
 */
#ifndef STEM_LIVE_H
#define STEM_LIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "monitor/sink.h"
#include "monitor/view/filter.h"
#include "monitor/view/ranking.h"

/* What the view makes the monitor do. Called in the thread of the loop, except for quit(). *error:
 * one line of what went wrong, which the caller frees, or NULL. */
typedef struct {
    void *context;
    bool (*set_perf)(void *context, bool perf, char **error);
    bool (*record)(void *context, const char *path, char **error);
    void (*quit)(void *context); /* any thread: the run is to end as after SIGTERM */
} live_controls_t;

typedef struct {
    top_key_t key;
    const filter_t *filter;
    double poll_period;
    bool perf;
    bool no_color;
    const char *read;    /* a recording; NULL: servers */
    bool can_read_again; /* it is a file */
} live_options_t;

typedef struct live live_t;

/*
 * Blocks the signals that the view takes: SIGWINCH, SIGTSTP, SIGCONT. Call before anything starts a
 * thread.
 */
void live_block_signals(void);

/* Whether there is a terminal for the view: standard output, and standard input unless that is a
 * recording. If not, *error is one line, which the caller frees. */
bool live_check(const live_options_t *options, char **error);

/*
 * Takes the terminal over. options and controls have to live as long. NULL if that isn't possible:
 * *error is one line, which the caller frees.
 */
live_t *live_new(const live_options_t *options, const live_controls_t *controls, char **error);

/*
 * Gives the terminal back, whatever has happened to it, without waiting for it for long; then
 * prints what was said last, frees everything and sets *self to NULL; *self may be NULL.
 */
void live_destroy(live_t **self, void (*print)(void *context, const char *line), void *context);

/*
 * A sink that shows a run in it; for a recording that is read again, another one for each time. It
 * has to end before self does. part (may be NULL) says how much of a recording was read, from 0 to
 * 1, or NAN. Never NULL.
 */
sink_t *live_sink_new(live_t *self, double (*part)(void *context), void *context);

/* Shows a line, as messages do while the terminal is taken. False: standard error isn't taken, so
 * that it is to be printed as well. Any thread. */
bool live_say(live_t *self, const char *line);

/*
 * After a recording was read: waits until the user wants to end, or to see a poll of it that isn't
 * kept any more (true: read it once more), or until stop_fd is readable. Not at all if there was no
 * poll in it.
 */
bool live_wait(live_t *self, int stop_fd);

#endif
