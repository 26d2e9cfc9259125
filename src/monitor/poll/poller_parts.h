/*
 * poller_parts: shared by the files of the poller; nobody else includes it.
 *
 * poller.c polls, poller_connect.c connects and reports failures, poller_servers.c merges several
 * devices of a server, poller_perf.c starts and stops performance monitoring, poller_follow.c adds
 * the servers that others receive events from, poller_local.c the processes of this machine that
 * begin later.
 */
#ifndef STEM_POLLER_PARTS_H
#define STEM_POLLER_PARTS_H

#include "monitor/poll/poller.h"
#include "monitor/poll/workers.h"

/* How much longer than the timeout a snapshot waits, so that a call that times out by itself at
 * the very same moment can still say so. */
#define POLLER_SLACK_SECONDS 0.25

typedef struct followed followed_t;
typedef struct local local_t;

struct poller {
    workers_t workers;
    followed_t *followed; /* NULL: without poller_follow() */
    local_t *local;       /* NULL: without poller_find_local() */
    double timeout;
    bool perf;
    shard_t shard;
    bool unstarted; /* some servers couldn't get a thread */
    poller_say_t say;
    void *say_context;
};

/* Reports a line, which it frees. */
void poller_say(poller_t *self, poller_level_t level, char *line);

/* Reports that there is no thread for a server. */
void poller_say_no_thread(poller_t *self, const char *server, const char *error);

/* Reports what there is to report of a worker after it has connected, or failed; goes_on: it will
 * be tried again. */
void poller_say_complaint(poller_t *self, worker_t *worker, bool goes_on);

/*
 * How long to wait for connections, in seconds. The first one to a server that accepts connections
 * but doesn't talk takes several timeouts by itself; a user at a terminal wants to know sooner.
 */
double poller_patience(const poller_t *self);

/* Whether a failure to connect may resolve itself. */
bool poller_may_come_up(tango_error_kind_t kind);

/* What poller_list() prints for a server that couldn't be connected to. */
const char *poller_state_of_failure(tango_error_kind_t kind);

/* Decides by the commands of a worker that has connected whether it can be polled. */
void poller_check_commands(poller_t *self, worker_t *worker);

/*
 * Removes those workers that are known to be of servers in other shards. With poller_shard(), a
 * snapshot loses their replies, and also those of other shards' devices whose server isn't known.
 */
void poller_leave_others(poller_t *self, snapshot_t *snapshot);

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

/* Adds the followed servers that have connected since to the workers. */
void poller_add_followed(poller_t *self);

/*
 * Lets workers connect to the servers that those of a snapshot receive events from. A followed one
 * that has come up, and has no command to ask, is removed.
 */
void poller_follow_snapshot(poller_t *self, snapshot_t *snapshot);

/* Frees it and sets *self to NULL; *self may be NULL. */
void poller_followed_destroy(followed_t **self);

/* Adds the processes of this machine that have been found since to the workers. */
void poller_add_local(poller_t *self);

/* Removes the clients that --local has found, and that have ended, from the workers and a snapshot.
 */
void poller_leave_ended(poller_t *self, snapshot_t *snapshot);

/* The first worker that asks the same process as worker i, as far as their answers in a snapshot
 * say, and one of them does so through the agent's socket; else i. */
size_t poller_first_of_process(const poller_t *self, const snapshot_t *snapshot, size_t i);

/* Calls workers_tell_apart(), and says so. */
void poller_tell_apart(poller_t *self, size_t i);

/* As finder_destroy(). */
bool poller_local_destroy(local_t **self);

#endif
