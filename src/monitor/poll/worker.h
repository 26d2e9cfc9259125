/*
 * worker: the thread that talks to one server.
 *
 * It is given tasks and returns their results; the poller decides what is asked when. Workers and
 * the poller share a lock; a worker doesn't hold it while it talks.
 */
#ifndef STEM_WORKER_H
#define STEM_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "monitor/poll/link.h"
#include "monitor/poll/permits.h"
#include "monitor/poll/selection.h"
#include "response/response.h"
#include "tango/tango_client.h"

/* Advice for a server that has no command to ask. */
#define WORKER_LOAD_THE_AGENT                                                                      \
    "load the agent with ska-tango-event-agent attach PID, or start it with the agent: "           \
    "ska-tango-event-agent run -- COMMAND (see docs/, or ska-tango-event-monitor(1))"

typedef enum { TASK_NONE, TASK_CONNECT, TASK_POLL, TASK_START_PERF, TASK_STOP_PERF } worker_task_t;

/* The result of a task. All owned. */
typedef struct {
    worker_task_t task;
    struct timespec asked; /* CLOCK_REALTIME, when it began */
    tango_error_t error;   /* kind is TANGO_ERROR_NONE if there is none */
    char *data;            /* of TASK_POLL: the answer, whether or not it could be parsed */
    size_t data_size;
    char *unreadable; /* why data can't be read, or NULL */
    response_t *response;
    double seconds;  /* that the task took */
    double answered; /* when it had arrived: monotonic_seconds() */
    pid_t process;   /* of this machine, that was asked; 0: a device, or none */
} worker_result_t;

/* What all workers of a poller share. */
typedef struct {
    pthread_mutex_t lock;
    int done_fd;      /* an eventfd: a worker has answered */
    bool keeps_texts; /* of answers, besides the parsed ones */
    double timeout;   /* that a process of this machine has to answer, in seconds */
    permits_t connecting;
} workers_shared_t;

typedef struct {
    workers_shared_t *shared;
    pthread_t thread;
    bool has_thread;

    /* The poller's. */
    char *name; /* the admin device's, or as given if that wasn't found at the start */
    bool found; /* admin is known */
    bool optional;
    bool passed_over;    /* is not to be polled */
    bool elsewhere;      /* is in another shard, as far as is known */
    bool placed;         /* that is known for good */
    bool failed;         /* couldn't be asked at the start */
    bool is_local;       /* --local has found it */
    pid_t found_process; /* as that process; 0: under a name that the user has given */
    pid_t process;       /* of this machine, that it is, as far as is known; or 0 */
    bool is_unproven;    /* wasn't named, but followed, and has never answered */
    bool wrong;          /* and that won't change by itself; reset if it answers after all */
    char *complaint;     /* one line about that; or NULL */
    const char *state;   /* for poller_list() */
    bool perf_of_others; /* its first answer in this poll shows performance monitoring on, not by us
                          */
    bool perf_seen;      /* an answer has shown whether performance monitoring is on */
    bool hangs;          /* it took too long the last time: it isn't waited for */
    time_t hangs_since;

    /* Guarded by the shared lock. */
    pthread_cond_t wake;
    worker_task_t task; /* what it is doing; TASK_NONE: idle */
    worker_task_t next; /* what to do after that; only TASK_STOP_PERF and TASK_POLL wait in line */
    bool delivered;     /* the present task has its result, and only something of ours is left */
    bool quit;          /* end as soon as idle */
    bool awaited;       /* somebody waits for the result of the task asked for */
    bool answered;      /* result is there */
    worker_result_t result;
    bool perf_wanted; /* performance monitoring is to be on */
    bool perf_ours;   /* and may be, because of us: it was off */

    /* The worker's while it is busy, the poller's while it is idle. */
    char *given; /* the device as the user named it */
    tango_admin_t admin;
    link_t *link;
    tango_event_commands_t commands;
    int64_t pid;    /* of the process that answered last; RESPONSE_UNKNOWN: not known */
    bool restarted; /* maybe, or never seen yet: ask for its commands before the next poll */
} worker_t;

/* For a target; it has no thread yet. Never NULL. */
worker_t *worker_new(workers_shared_t *shared, const target_t *target);

/* Starts its thread. False on failure, and then *error says why; the caller frees it. */
bool worker_start(worker_t *self, char **error);

/* Ends and frees a worker that is idle, or has no thread yet, and sets *self to NULL; *self may be
 * NULL.
 */
void worker_destroy(worker_t **self);

/*
 * Gives a worker a task, whose result is then waited for, unless the worker hangs. A stop is always
 * waited for, and queued after the present task, in place of a poll; a poll is queued if the
 * present task has delivered its result, but not while there is an answer that nobody has taken.
 * Otherwise the worker has to be idle. False if it can't be given.
 */
bool worker_ask(worker_t *self, worker_task_t task);

/* From now on performance monitoring is switched on with an answer that shows it off. */
void worker_want_perf(worker_t *self);

/* From now on performance monitoring isn't switched on any more; whether it is, because of us. */
bool worker_end_perf(worker_t *self);

/* Whether performance monitoring is on, because of us. */
bool worker_owns_perf(worker_t *self);

/* Whether an answer shows that performance monitoring is on, on one of its sides. */
bool worker_perf_is_on(const response_t *response);

/* Whether there is already an answer for the next poll. */
bool worker_has_answer(worker_t *self);

/*
 * The result of the last task, now the caller's, whether somebody waited for it or not; false if
 * there is none.
 */
bool worker_take_result(worker_t *self, worker_result_t *result);

/*
 * Decides whether a worker is waited for the next time: not if it failed and took long, since it
 * will do so again. timeout: in seconds.
 */
void worker_note_hanging(worker_t *self, const worker_result_t *result, double timeout);

/* The text of its error; never NULL. */
const char *worker_result_error(const worker_result_t *result);

/* Frees what a result owns and empties it. */
void worker_result_clear(worker_result_t *result);

/* Whether there is a command to ask. */
bool worker_has_query(const tango_event_commands_t *commands);

/* Whether performance monitoring can be switched. */
bool worker_has_perf(const tango_event_commands_t *commands);

#endif
