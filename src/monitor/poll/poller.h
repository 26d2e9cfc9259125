/*
 * poller: asks many servers at the same time.
 *
 * Each server has a worker thread with a connection of its own; one that hangs is waited for only
 * once, so that it delays nobody. The poller itself is used by one thread. It waits with a
 * deadline, and can be interrupted: every function that waits takes a stop_fd, and gives up as soon
 * as that is readable (-1: never). The descriptor isn't read.
 */
#ifndef STEM_POLLER_H
#define STEM_POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "monitor/model/snapshot.h"
#include "monitor/poll/selection.h"

typedef struct poller poller_t;

/* Something to tell the user; level says whether the monitor can go on. */
typedef enum {
    POLLER_NOTE,   /* worth knowing */
    POLLER_WARNING /* something that the user asked for can't be done */
} poller_level_t;

/* Gets one line without a line feed. Called from the thread that called the poller. */
typedef void (*poller_say_t)(void *context, poller_level_t level, const char *line);

/*
 * A poller for these targets; not connected yet. timeout_seconds is how long a server may take to
 * answer. perf: make the servers take performance samples. tango_client_init() must have been
 * called. NULL if no file can be opened for it; then *error is one line, which the caller frees.
 */
poller_t *poller_new(const target_t *targets, size_t target_count, double timeout_seconds,
                     bool perf, poller_say_t say, void *say_context, char **error);

/*
 * From now on only servers in this shard are watched; the others are left out without a word once
 * it is known which servers they are. A device whose server isn't known yet counts as a server of
 * the device's name until then. Call it before poller_connect(); not together with poller_follow().
 */
void poller_shard(poller_t *self, const shard_t *shard);

/*
 * Finds the servers of all devices and connects to them. Those that can't be asked yet are
 * reported, one line each, and tried again at every poll: as a POLLER_NOTE if the server isn't
 * running or doesn't answer, as a POLLER_WARNING if that won't change by itself: an unknown name, a
 * server without a command to ask. Optional targets without such a command are skipped. Returns
 * false if there are only wrong ones, or if it was interrupted.
 */
bool poller_connect(poller_t *self, int stop_fd);

/* After poller_connect(): whether nothing that was reported as a POLLER_WARNING is still so. */
bool poller_is_complete(const poller_t *self);

/*
 * After a successful poller_connect(): merges devices of the same server, and removes skipped ones;
 * reports either in one line. False if nothing is left.
 */
bool poller_settle(poller_t *self);

/*
 * From now on servers that watched ones receive events from, by their answers, are watched, too,
 * from the next poll after they were connected to; and so on. Nobody waits for them meanwhile. At
 * most maximum are tried; a POLLER_WARNING says when there are more. Not those that exclusions
 * (which must live as long) exclude by their name, or by that of all devices that events are
 * received from; nor any that is watched already, under whatever name. Those that are added are
 * reported, a line for all at once, and so are those that have no command to ask, or can't be
 * asked for another reason than being down: they are not tried again. Call it before
 * poller_connect().
 */
void poller_follow(poller_t *self, const selection_options_t *exclusions, size_t maximum);

/*
 * With poller_follow(), after poller_connect(): looks for these servers by asking each server once,
 * and waits for them, so that they are there for the first poll. Those that take too long follow
 * later. Returns false if it was interrupted.
 */
bool poller_find_others(poller_t *self, int stop_fd);

/*
 * From now on processes of this machine that begin later, and have an agent that can be asked, are
 * watched, too, from the next poll after they were found; nobody waits for them. Not those that
 * exclusions (which must live as long) exclude. They are reported, and so are clients that
 * "local" of a selection has found, and that have ended: these are no longer watched. Call it after
 * poller_settle().
 */
void poller_find_local(poller_t *self, const selection_options_t *exclusions);

/*
 * Prints, for each server, a line with its name and the command that it is asked by
 * ("QueryEventAgent", "QueryEventSystem", or why it can't be asked now). After poller_connect().
 */
void poller_list(const poller_t *self, FILE *out);

/*
 * Whether snapshots have the texts of answers from now on, besides the parsed ones, which takes
 * memory. They do at first.
 */
void poller_keep_texts(poller_t *self, bool keeps);

/*
 * Starts performance monitoring on every server where it is off; without perf does nothing. A
 * server where that fails is reported as a POLLER_WARNING; poller_poll() tries again.
 */
void poller_start_perf(poller_t *self, int stop_fd);

/*
 * Asks every server, and waits until all have answered, for at most the timeout. Returns a new
 * snapshot, owned by the caller: a server that failed or didn't answer has its error there. One
 * that took too long the last time isn't waited for, and isn't asked again while that request is
 * under way: its answer is in the first snapshot after it arrived. With perf, performance
 * monitoring is started again in a server that answers without samples, because it was restarted,
 * say. If it is on though we didn't start it, that is reported as a POLLER_NOTE with the server's
 * first answer, all such servers in one line.
 */
snapshot_t *poller_poll(poller_t *self, int stop_fd);

/*
 * Switches performance monitoring on or off, from now on: on, poller_start_perf() and
 * poller_poll() start it where it is off; off, it isn't started any more, and poller_stop_perf()
 * stops it where we started it.
 */
void poller_set_perf(poller_t *self, bool perf);

/*
 * Stops performance monitoring wherever it was off before we started it. Returns whether that
 * succeeded: also for a server that is gone, but not for one that doesn't answer, which is reported
 * as a POLLER_WARNING unless stop_fd interrupted it. May be called again then.
 */
bool poller_stop_perf(poller_t *self, int stop_fd);

/*
 * Ends the workers, frees everything and sets *self to NULL; *self may be NULL. Returns false if a
 * worker hangs in a call: it is left running with all that it uses, and the program must end with
 * _exit(), since a static destructor would destroy the Tango library under it.
 */
bool poller_destroy(poller_t **self);

#endif
