/*
 * workers: all workers of a poller, in the order of their targets, and waiting for them.
 *
 * Used by the poller's thread.
 */
#ifndef STEM_WORKERS_H
#define STEM_WORKERS_H

#include <stdbool.h>
#include <stddef.h>

#include "monitor/poll/selection.h"
#include "monitor/poll/worker.h"

typedef struct {
    workers_shared_t shared;
    worker_t **all;
    size_t count;
    worker_t **connecting; /* those that are to be added to them, maybe, once they have connected */
    size_t connecting_count;
} workers_t;

/*
 * Creates a worker for each target, without a thread yet. timeout: how long a process of this
 * machine has to answer, in seconds. They keep the address of self: it must
 * not move. False if no file can be opened for them; then *error says why, owned by the caller, and
 * self must not be cleared.
 */
bool workers_init(workers_t *self, const target_t *targets, size_t count, double timeout,
                  char **error);

/*
 * Waits until no result is waited for any more, for at most that many seconds; then gives the
 * others up. Returns false if stop_fd interrupted it.
 */
bool workers_await(workers_t *self, double seconds, int stop_fd);

/*
 * Creates one more worker, starts its thread and lets it connect; it isn't among all of them yet.
 * False if there is no thread for it; then *error says why, and the caller frees it.
 */
bool workers_connect(workers_t *self, const target_t *target, char **error);

/* As workers_await(), for those that are connecting. */
bool workers_await_connecting(workers_t *self, double seconds, int stop_fd);

/* Adds the one at that index to all workers, as the last one. */
void workers_add_connecting(workers_t *self, size_t i);

/* Ends the one at that index, which must be idle. */
void workers_end_connecting(workers_t *self, size_t i);

/* The first worker of the same server as worker i; i itself if its server isn't known. */
size_t workers_first_of_server(const workers_t *self, size_t i);

/* Whether they are processes of this machine that different users run. */
bool workers_of_two_users(const worker_t *a, const worker_t *b);

/*
 * Gives worker i, a process of this machine, its number as a name, if another user's process that
 * is watched says that it is the same server: one of them isn't what it says, and no one can tell
 * which. Returns that other one, or NULL.
 */
const worker_t *workers_tell_apart(workers_t *self, size_t i);

/* Ends worker i, which must be idle, and removes it. */
void workers_remove(workers_t *self, size_t i);

/*
 * The names of the servers for which a condition holds, at most limit, separated by commas; *count
 * is how many there are. The caller frees it.
 */
char *workers_names(const workers_t *self, bool (*condition)(const worker_t *), size_t limit,
                    size_t *count);

/*
 * Ends all workers and frees what self owns. Returns false if one hangs in a call: nothing is freed
 * then, since it is still used.
 */
bool workers_clear(workers_t *self);

#endif
