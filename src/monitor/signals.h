/*
 * signals: what tells the monitor to stop, or that its recording was moved away.
 *
 * They are blocked in every thread, so that none lands in one of the ORB's, and are read from
 * descriptors (signalfd) by whatever the main thread is waiting in.
 */
#ifndef STEM_SIGNALS_H
#define STEM_SIGNALS_H

#include <stdbool.h>

typedef struct {
    int stop_fd;   /* readable once a signal says to stop; -1: that failed, errno says why */
    int hangup_fd; /* readable after SIGHUP, where that is no reason to stop; or -1 */
} signals_t;

/* Call before anything starts a thread. hangup_stops: what SIGHUP is for. */
signals_t signals_open(bool hangup_stops);

void signals_close(signals_t *self);

bool signals_say_stop(const signals_t *self);

/* Takes a signal to stop that waits; its number, or 0 if none does. */
int signals_take_stop(signals_t *self);

/* Takes a SIGHUP that waits; false if none does. */
bool signals_take_hangup(signals_t *self);

/* Ends the program the way a signal does by itself. */
_Noreturn void signals_die_of(int number);

#endif
