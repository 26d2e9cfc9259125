/*
 * poller: asks many servers at the same time.
 *
 * Each server has a worker thread with a connection of its own, so that one that hangs or is gone
 * delays nobody. The poller itself is used by one thread. It waits with a deadline, and may be
 * called off: every function that waits takes a stop_fd, and gives up as soon as that is readable
 * (-1: never). The descriptor isn't read.
 */
#ifndef STEM_POLLER_H
#define STEM_POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "monitor/selection.h"
#include "monitor/snapshot.h"

typedef struct poller poller_t;

/* Something to tell the user; level says whether the monitor can go on. */
typedef enum {
    POLLER_NOTE,   /* worth knowing */
    POLLER_WARNING /* something that was asked for can't be done */
} poller_level_t;

/* Gets one line without a line feed. Called from the thread that called the poller. */
typedef void (*poller_say_t)(void *context, poller_level_t level, const char *line);

/*
 * A poller for these targets; not connected yet. timeout_seconds is how
 * long a server may take to answer. perf: have the servers take performance samples.
 * tango_client_init() must have been called. Never NULL.
 */
poller_t *poller_new(const target_t *targets, size_t target_count, double timeout_seconds,
                     bool perf, poller_say_t say, void *say_context);

/*
 * Finds the servers of all devices and connects to them. A server that isn't running, or doesn't
 * answer, is told of as a POLLER_NOTE, and is tried again with every poll. Optional targets that
 * have no command to ask, or can't be found, are passed over. Says what is wrong with each other
 * device, one line each as a POLLER_WARNING, and returns false, if any can't be polled or if it was
 * called off.
 */
bool poller_connect(poller_t *self, int stop_fd);

/*
 * After a poller_connect() that went well: makes devices of one server one server, and leaves out
 * those that are passed over; tells of either in one line. False if nothing is left.
 */
bool poller_settle(poller_t *self);

/*
 * Prints, for each server, a line with its name and what it is asked by ("QueryEventAgent",
 * "QueryEventSystem", or why it can't be asked now). After poller_connect().
 */
void poller_list(const poller_t *self, FILE *out);

/* From now on snapshots have no texts of answers, only what was read from them: that is less
 * memory. */
void poller_drop_texts(poller_t *self);

/*
 * Starts performance monitoring on every server; without perf does nothing. A server where that
 * fails is told of as a POLLER_WARNING; poller_poll() tries again.
 */
void poller_start_perf(poller_t *self, int stop_fd);

/*
 * Asks every server, and waits until all have answered, for the timeout at most. Returns a new
 * snapshot, owned by the caller: a server that failed or didn't answer has its error there. One
 * that still hasn't answered an earlier request isn't asked again. With perf, a server that answers
 * without samples of its own, since it was restarted, say, gets performance monitoring started
 * again.
 */
snapshot_t *poller_poll(poller_t *self, int stop_fd);

/*
 * Stops performance monitoring wherever poller_start_perf() has tried to start it. Returns whether
 * it is off everywhere: a server that is gone counts as that; one that doesn't answer doesn't, and
 * is told of as a POLLER_WARNING unless stop_fd called it off. May be called again then.
 */
bool poller_stop_perf(poller_t *self, int stop_fd);

/*
 * Ends the workers, frees everything and sets *self to NULL; *self may be NULL. Returns false if a
 * worker hangs in a call: it and what it uses is left behind, and the program must end with
 * _exit(), since a static destructor would take the Tango library away under it.
 */
bool poller_destroy(poller_t **self);

#endif
