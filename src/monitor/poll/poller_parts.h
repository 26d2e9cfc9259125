/*
 * poller_parts: shared by the files of the poller; nobody else includes it.
 *
 * poller.c polls, poller_connect.c connects and reports failures, poller_servers.c merges several
 * devices of a server, poller_perf.c starts and stops performance monitoring.
 */
#ifndef STEM_POLLER_PARTS_H
#define STEM_POLLER_PARTS_H

#include "monitor/poll/poller.h"
#include "monitor/poll/workers.h"

/* How much longer than the timeout a snapshot waits, so that a call that times out by itself at
 * the very same moment can still say so. */
#define POLLER_SLACK_SECONDS 0.25

struct poller {
    workers_t workers;
    double timeout;
    bool perf;
    bool unstarted; /* some servers couldn't get a thread */
    poller_say_t say;
    void *say_context;
};

/* Reports a line, which it frees. */
void poller_say(poller_t *self, poller_level_t level, char *line);

/*
 * A device's server isn't known before it answers: two that hung at the start may turn out to be
 * one. Removes the second one from the workers and the snapshot; the first one keeps its name.
 */
void poller_merge_late_answers(poller_t *self, snapshot_t *snapshot);

/*
 * In one line, which servers had performance monitoring on when they first answered, though not
 * because of us.
 */
void poller_say_perf_of_others(poller_t *self, const snapshot_t *snapshot);

#endif
