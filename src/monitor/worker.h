/*
 * worker: the thread that talks to one server.
 *
 * It is given tasks and hands out their results; the poller decides what is asked when. Workers and
 * the poller share a lock; a worker doesn't hold it while it talks.
 */
#ifndef STEM_WORKER_H
#define STEM_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "monitor/gate.h"
#include "monitor/selection.h"
#include "response/response.h"
#include "tango/tango_client.h"

/* What to do about a server that has no command to ask. */
#define WORKER_LOAD_THE_AGENT                                                                      \
    "start it with the agent: ska-tango-event-agent run -- COMMAND (see docs/, or "                \
    "ska-tango-event-monitor(1))"

typedef enum { TASK_NONE, TASK_CONNECT, TASK_POLL, TASK_START_PERF, TASK_STOP_PERF } worker_task_t;

/* What came of a task. All owned. */
typedef struct {
    tango_error_t error; /* kind is TANGO_ERROR_NONE where there is none */
    char *data;          /* of TASK_POLL: the answer, with or without an error in reading it */
    size_t data_size;
    char *unreadable; /* why data can't be read, or NULL */
    response_t *response;
    double seconds;
} worker_result_t;

/* What all workers of a poller share. */
typedef struct {
    pthread_mutex_t lock;
    int done_fd;      /* an eventfd: a worker has answered */
    bool keeps_texts; /* of answers, beside what was read from them */
    gate_t connecting;
} workers_shared_t;

typedef struct {
    workers_shared_t *shared;
    pthread_t thread;
    bool has_thread;

    /* The poller's. */
    char *name; /* the admin device's, or as given where that wasn't found at the start */
    bool found; /* admin is known */
    bool optional;
    bool passed_over;  /* is not to be polled */
    const char *state; /* for poller_list() */

    /* Guarded by the shared lock. */
    pthread_cond_t wake;
    worker_task_t task; /* what it is doing; TASK_NONE: idle */
    worker_task_t next; /* what to do after that; only TASK_STOP_PERF waits in line */
    bool quit;          /* end as soon as idle */
    bool awaited;       /* somebody waits for the result of the last task asked for */
    bool answered;      /* result is there */
    worker_result_t result;
    bool perf_wanted; /* performance monitoring is to be on */
    bool perf_tried;  /* and may be, because of us */

    /* The worker's while it is busy, the poller's while it is idle. */
    char *given; /* the device as the user named it */
    tango_admin_t admin;
    tango_device_t *device;
    tango_event_commands_t commands;
    bool restarted; /* maybe, or never seen yet: ask for its commands before the next poll */
} worker_t;

/* For a target; it has no thread yet. Never NULL. */
worker_t *worker_new(workers_shared_t *shared, const target_t *target);

/* Starts its thread; 0, or an errno. */
int worker_start(worker_t *self);

/* Its thread must have ended, or never have been started. */
void worker_free(worker_t *self);

/* Ends and frees a worker that is idle, or has no thread yet. */
void worker_end(worker_t *self);

/*
 * Gives a worker something to do and waits for its result from now on. A stop lines up behind what
 * the worker is at; for anything else it has to be idle: false if it isn't.
 */
bool worker_ask(worker_t *self, worker_task_t task);

/*
 * The result of the last task, now the caller's; false if there is none. Only a worker that is
 * awaited delivers one.
 */
bool worker_take_result(worker_t *self, worker_result_t *result);

/* Frees what a result owns and empties it. */
void worker_result_clear(worker_result_t *result);

/* Whether there is a command to ask. */
bool worker_has_query(const tango_event_commands_t *commands);

#endif
