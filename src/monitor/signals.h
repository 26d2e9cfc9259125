/*
 * signals: those that tell the monitor to stop, or that its recording was moved away.
 *
 * They are blocked in every thread, so that none lands in one of the ORB's, and are read from
 * descriptors (signalfd) by whatever the main thread is waiting in.
 */
#ifndef STEM_SIGNALS_H
#define STEM_SIGNALS_H

#include <stdbool.h>

typedef struct {
    int stop_fd;   /* readable once a signal says to stop; -1: that failed */
    int hangup_fd; /* readable after SIGHUP, if that is no reason to stop; or -1 */
} signals_t;

/*
 * Call before anything starts a thread. hangup_stops: what SIGHUP is for.
 *
 * Every signal that somebody may send and that would end the program says to stop, since an unclean
 * shutdown leaves performance monitoring on; except those that were ignored when the program was
 * started, other than SIGINT and SIGTERM. SIGPIPE, SIGXFSZ and SIGTTOU are ignored: write() returns
 * an error for them. If it fails, *error is one line, which the caller frees; else NULL.
 */
signals_t signals_open(bool hangup_stops, char **error);

/* Closes both. */
void signals_clear(signals_t *self);

bool signals_say_stop(const signals_t *self);

/* Takes a pending signal to stop; its number, or 0 if there is none. */
int signals_take_stop(signals_t *self);

/* Takes a pending SIGHUP; false if there is none. */
bool signals_take_hangup(signals_t *self);

/* From now on signals do what they do by themselves: there is nothing left to shut down. */
void signals_release(void);

/* The same as if somebody had sent SIGTERM. Any thread. */
void signals_ask_to_stop(void);

/* Ends the program the way a signal does by itself. */
_Noreturn void signals_die_of(int number);

#endif
