#include "monitor/poller.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "response/memory.h"
#include "response/response.h"
#include "tango/tango_client.h"

/* Room for a CORBA call and for parsing an answer as deep as the JSON library takes; small, since
 * there may be hundreds of servers. */
#define WORKER_STACK_SIZE ((size_t)1 << 20)

/* How much longer than the timeout a snapshot waits, so that a call that times out by itself at
 * the very same moment can still say so. */
#define SLACK_SECONDS 0.25

/* How long the end waits for workers that are about to come home. */
#define END_SECONDS 0.2

/* How long a server without commands may still be starting. */
#define START_NS 200000000L

/* How many servers that are passed over are named in one line. */
enum { PASSED_OVER_NAMES = 3 };

#define LOAD_THE_AGENT                                                                             \
    "start it with the agent: ska-tango-event-agent run -- COMMAND (see docs/, or "                \
    "ska-tango-event-monitor(1))"

#define ASKED_AGAIN "; it is asked again at every poll"

typedef enum { TASK_NONE, TASK_CONNECT, TASK_POLL, TASK_START_PERF, TASK_STOP_PERF } task_t;

/* What came of a task. All owned. */
typedef struct {
    tango_error_t error; /* kind is TANGO_ERROR_NONE where there is none */
    char *data;          /* of TASK_POLL: the answer, with or without an error in reading it */
    size_t data_size;
    char *unreadable; /* why data can't be read, or NULL */
    response_t *response;
    double seconds;
} result_t;

typedef struct {
    poller_t *poller;
    pthread_t thread;
    bool has_thread;

    /* The poller's. */
    char *name; /* the admin device's, or as given where that wasn't found at the start */
    bool found; /* admin is known */
    bool optional;
    bool passed_over;  /* is not to be polled */
    const char *state; /* for poller_list() */

    /* Guarded by the poller's lock. */
    pthread_cond_t wake;
    task_t task;   /* what it is doing; TASK_NONE: idle */
    task_t next;   /* what to do after that; only TASK_STOP_PERF waits in line */
    bool quit;     /* end as soon as idle */
    bool awaited;  /* somebody waits for the result of the last task asked for */
    bool answered; /* result is there */
    result_t result;
    bool perf_tried; /* performance monitoring may be on because of us */

    /* The worker's while it is busy, the poller's while it is idle. */
    char *given; /* the device as the user named it */
    tango_admin_t admin;
    tango_device_t *device;
    tango_event_commands_t commands;
    bool restarted; /* maybe, or never seen yet: ask for its commands before the next poll */
} worker_t;

struct poller {
    pthread_mutex_t lock;
    int done_fd; /* an eventfd: a worker has answered */
    worker_t **workers;
    size_t worker_count;
    double timeout;
    bool perf;
    bool keeps_texts;
    poller_say_t say;
    void *say_context;
};

static double monotonic_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void say(poller_t *self, poller_level_t level, char *line)
{
    self->say(self->say_context, level, line);
    free(line);
}

static const char *error_text(const tango_error_t *error)
{
    return error->text ? error->text : "unknown error";
}

static void result_clear(result_t *result)
{
    tango_error_clear(&result->error);
    free(result->data);
    free(result->unreadable);
    response_destroy(&result->response);
    *result = (result_t){0};
}

static void own_error(tango_error_t *error, tango_error_kind_t kind, const char *text)
{
    tango_error_clear(error);
    error->kind = kind;
    error->text = memory_string(text);
}

/* ---- in the worker's thread ---- */

static bool has_query(const tango_event_commands_t *commands)
{
    return commands->query_event_agent || commands->query_event_system;
}

/* May be called again: does what is still to be done. */
static void do_connect(worker_t *self, tango_error_t *error)
{
    if (!self->admin.name &&
        !tango_client_find_admin(self->given, &self->admin, &self->device, error))
        return;
    if (!self->device)
        self->device = tango_device_new(self->admin.name, error);
    self->restarted =
        !self->device || !tango_device_event_commands(self->device, &self->commands, error);
    /* While a server starts, its devices answer a moment before the agent's commands are there. */
    if (!self->restarted && !has_query(&self->commands)) {
        const struct timespec moment = {.tv_nsec = START_NS};
        nanosleep(&moment, NULL);
        self->restarted = !tango_device_event_commands(self->device, &self->commands, error);
    }
}

/*
 * Where our agent is loaded beside the built-in command, EnableEventSystemPerfMon is for that one,
 * and what we ask, the agent's, is switched by the other two.
 */
static void switch_perf(worker_t *self, bool on, tango_error_t *error)
{
    const tango_event_commands_t *commands = &self->commands;
    if (!self->device)
        own_error(error, TANGO_ERROR_NOT_RUNNING, "its server is not running or can't be reached");
    else if (commands->enable && !(commands->query_event_agent && commands->start_and_stop))
        tango_device_call_boolean(self->device, "EnableEventSystemPerfMon", on, error);
    else
        tango_device_call(self->device, on ? "StartEventSystemPerfMon" : "StopEventSystemPerfMon",
                          error);
}

/* Learns the commands of a server that may have been restarted. */
static bool refresh_commands(worker_t *self, tango_error_t *error)
{
    tango_event_commands_t commands;
    if (!tango_device_event_commands(self->device, &commands, error))
        return false;
    if (!has_query(&commands)) {
        const bool had = has_query(&self->commands);
        own_error(error, TANGO_ERROR_NO_COMMAND,
                  had ? "it was restarted without the agent: QueryEventSystem is gone"
                      : "has neither QueryEventAgent nor QueryEventSystem: " LOAD_THE_AGENT);
        return false;
    }
    self->commands = commands;
    self->restarted = false;
    return true;
}

static void query(worker_t *self, result_t *result)
{
    const char *command = self->commands.query_event_agent ? "QueryEventAgent" : "QueryEventSystem";
    result->data =
        tango_device_call_string(self->device, command, &result->data_size, &result->error);
}

static void do_poll(worker_t *self, result_t *result)
{
    const double start = monotonic_seconds();
    if (!self->device)
        do_connect(self, &result->error);
    if (self->device && (!self->restarted || refresh_commands(self, &result->error))) {
        query(self, result);
        if (!result->data && result->error.kind == TANGO_ERROR_NO_COMMAND) {
            tango_error_clear(&result->error);
            if (refresh_commands(self, &result->error))
                query(self, result);
        }
    }
    result->seconds = monotonic_seconds() - start;
    if (!result->data) {
        self->restarted |= result->error.kind == TANGO_ERROR_NOT_RUNNING ||
                           result->error.kind == TANGO_ERROR_NO_COMMAND;
        return;
    }
    result->response = response_parse(result->data, result->data_size, &result->unreadable);
    if (!self->poller->keeps_texts) {
        free(result->data);
        result->data = NULL;
        result->data_size = 0;
    }
}

/* Whether an answer shows that performance monitoring is off, as it is after a restart. */
static bool perf_is_off(const response_t *response)
{
    return response && ((response->has_server && !response->push_perf_on) ||
                        (response->has_client && !response->receive_perf_on));
}

/* Wakes whoever waits in the poller's thread. An eventfd that is full is readable: good enough. */
static void wake_poller(const poller_t *self)
{
    const uint64_t one = 1;
    while (write(self->done_fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

/* Hands a result to who waits for it; one that came too late is thrown away. Locked. */
static void deliver(worker_t *self, result_t *result)
{
    if (self->awaited) {
        self->awaited = false;
        self->answered = true;
        self->result = *result;
        *result = (result_t){0};
        wake_poller(self->poller);
    }
    result_clear(result);
}

/* Does self->task. Called and left locked. */
static void run_task(worker_t *self)
{
    pthread_mutex_t *lock = &self->poller->lock;
    const task_t task = self->task;
    result_t result = {0};
    pthread_mutex_unlock(lock);
    switch (task) {
    case TASK_NONE:
        break;
    case TASK_CONNECT:
        do_connect(self, &result.error);
        break;
    case TASK_POLL:
        do_poll(self, &result);
        break;
    case TASK_START_PERF:
        switch_perf(self, true, &result.error);
        break;
    case TASK_STOP_PERF:
        switch_perf(self, false, &result.error);
        break;
    }
    const bool start_again = task == TASK_POLL && perf_is_off(result.response);
    pthread_mutex_lock(lock);
    /* Not for a poll with a stop waiting behind it: that stop is what the poller waits for. */
    if (self->next == TASK_NONE)
        deliver(self, &result);
    else
        result_clear(&result);
    if (start_again && self->perf_tried && self->next == TASK_NONE && !self->quit) {
        tango_error_t error = {0};
        pthread_mutex_unlock(lock);
        switch_perf(self, true, &error); /* a failure shows: the next answer lacks samples, too */
        tango_error_clear(&error);
        pthread_mutex_lock(lock);
    }
}

static void *worker_main(void *argument)
{
    worker_t *self = argument;
    pthread_mutex_t *lock = &self->poller->lock;
    pthread_mutex_lock(lock);
    for (;;) {
        while (self->task == TASK_NONE && !self->quit)
            pthread_cond_wait(&self->wake, lock);
        if (self->task == TASK_NONE)
            break;
        run_task(self);
        self->task = self->next;
        self->next = TASK_NONE;
        if (self->quit && self->task == TASK_NONE)
            wake_poller(self->poller);
    }
    pthread_mutex_unlock(lock);
    tango_device_destroy(&self->device);
    return NULL;
}

/* ---- in the poller's thread ---- */

static worker_t *worker_new(poller_t *poller, const target_t *target)
{
    const char *given = target->name;
    worker_t *self = memory_new(1, sizeof *self);
    self->poller = poller;
    self->given = memory_string(given);
    self->name = memory_string(given);
    self->optional = target->optional;
    pthread_cond_init(&self->wake, NULL);
    return self;
}

/* Its thread must have ended, or never have been started. */
static void worker_free(worker_t *self)
{
    pthread_cond_destroy(&self->wake);
    result_clear(&self->result);
    tango_admin_clear(&self->admin);
    free(self->given);
    free(self->name);
    free(self);
}

/* Ends a worker that is idle, or has no thread yet. */
static void worker_end(worker_t *self)
{
    pthread_mutex_lock(&self->poller->lock);
    self->quit = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->poller->lock);
    if (self->has_thread)
        pthread_join(self->thread, NULL);
    worker_free(self);
}

/*
 * Gives a worker something to do and waits for its result from now on. A stop lines up behind what
 * the worker is at; for anything else it has to be idle: false if it isn't.
 */
static bool ask(worker_t *self, task_t task)
{
    pthread_mutex_lock(&self->poller->lock);
    const bool idle = self->task == TASK_NONE;
    const bool taken = idle || task == TASK_STOP_PERF;
    if (taken) {
        result_clear(&self->result);
        self->answered = false;
        self->awaited = true;
        if (idle)
            self->task = task;
        else
            self->next = task;
        if (task == TASK_START_PERF)
            self->perf_tried = true;
        pthread_cond_signal(&self->wake);
    }
    pthread_mutex_unlock(&self->poller->lock);
    return taken;
}

static bool any_awaited(poller_t *self)
{
    bool awaited = false;
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < self->worker_count && !awaited; i++)
        awaited = self->workers[i]->awaited;
    pthread_mutex_unlock(&self->lock);
    return awaited;
}

static bool any_busy(poller_t *self)
{
    bool busy = false;
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < self->worker_count && !busy; i++)
        busy = self->workers[i]->task != TASK_NONE;
    pthread_mutex_unlock(&self->lock);
    return busy;
}

/*
 * Waits until a condition that workers change is no longer true, for so many seconds at most.
 * Returns false if stop_fd called it off.
 */
static bool wait_while(poller_t *self, bool (*condition)(poller_t *), double seconds, int stop_fd)
{
    const double deadline = monotonic_seconds() + seconds;
    while (condition(self)) {
        const double left = deadline - monotonic_seconds();
        if (left <= 0)
            return true;
        struct pollfd fds[2] = {{.fd = self->done_fd, .events = POLLIN},
                                {.fd = stop_fd, .events = POLLIN}};
        const struct timespec wait = {.tv_sec = (time_t)left,
                                      .tv_nsec = (long)((left - (double)(time_t)left) * 1e9)};
        if (ppoll(fds, 2, &wait, NULL) < 0)
            continue; /* EINTR: the deadline still holds */
        if (fds[1].revents)
            return false;
        uint64_t count = 0;
        if (fds[0].revents && read(self->done_fd, &count, sizeof count) < 0)
            continue; /* somebody read it before: nothing lost, the loop looks for itself */
    }
    return true;
}

/*
 * Waits until nobody is awaited any more, for so many seconds at most; then gives those up who are.
 * Returns false if stop_fd called it off.
 */
static bool await(poller_t *self, double seconds, int stop_fd)
{
    const bool waited = wait_while(self, any_awaited, seconds, stop_fd);
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < self->worker_count; i++)
        self->workers[i]->awaited = false;
    pthread_mutex_unlock(&self->lock);
    return waited;
}

/*
 * The result of a worker that await() has waited for, now the caller's; false if there is none. It
 * can't change after await(): only an awaited worker delivers.
 */
static bool take_result(worker_t *self, result_t *result)
{
    pthread_mutex_lock(&self->poller->lock);
    const bool answered = self->answered;
    *result = self->result;
    self->result = (result_t){0};
    self->answered = false;
    pthread_mutex_unlock(&self->poller->lock);
    return answered;
}

poller_t *poller_new(const target_t *targets, size_t target_count, double timeout_seconds,
                     bool perf, poller_say_t say_line, void *say_context)
{
    poller_t *self = memory_new(1, sizeof *self);
    pthread_mutex_init(&self->lock, NULL);
    self->timeout = timeout_seconds;
    self->perf = perf;
    self->keeps_texts = true;
    self->say = say_line;
    self->say_context = say_context;
    self->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->done_fd < 0) {
        perror("eventfd");
        abort();
    }
    self->worker_count = target_count;
    self->workers = memory_new(target_count, sizeof(worker_t *));
    for (size_t i = 0; i < target_count; i++)
        self->workers[i] = worker_new(self, &targets[i]);
    return self;
}

/* Starts the threads. Those that couldn't be started are taken out, and told of. */
static bool start_threads(poller_t *self)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, WORKER_STACK_SIZE);
    size_t kept = 0;
    int failed = 0;
    for (size_t i = 0; i < self->worker_count; i++) {
        worker_t *worker = self->workers[i];
        const int why = pthread_create(&worker->thread, &attributes, worker_main, worker);
        if (why == 0) {
            worker->has_thread = true;
            self->workers[kept++] = worker;
            continue;
        }
        say(self, POLLER_WARNING,
            memory_format("%s: can't start a thread for it: %s: watch fewer servers at once, or "
                          "raise the limit (ulimit -u)",
                          worker->given, strerror(why)));
        worker_free(worker);
        failed = why;
    }
    self->worker_count = kept;
    pthread_attr_destroy(&attributes);
    return failed == 0;
}

static const char *what_to_do(tango_error_kind_t kind)
{
    switch (kind) {
    case TANGO_ERROR_NO_DEVICE:
        return ": check the name";
    case TANGO_ERROR_DATABASE:
        return ": start it, or name the right one: TANGO_HOST=HOST:PORT, or "
               "tango://HOST:PORT/DEVICE";
    case TANGO_ERROR_TANGO_HOST:
        return ": set it to that of the Tango database, or name tango://HOST:PORT/DEVICE";
    case TANGO_ERROR_NOT_RUNNING:
    case TANGO_ERROR_TIMEOUT:
    case TANGO_ERROR_NONE:
    case TANGO_ERROR_NO_COMMAND:
    case TANGO_ERROR_OTHER:
        break;
    }
    return "";
}

/* The first worker of the same server as worker i; i itself if its server isn't known. */
static size_t first_of_server(const poller_t *self, size_t i)
{
    for (size_t k = 0; k < i && self->workers[i]->found; k++)
        if (self->workers[k]->found &&
            strcmp(self->workers[k]->admin.identity, self->workers[i]->admin.identity) == 0)
            return k;
    return i;
}

static void say_shared_server(poller_t *self, size_t first)
{
    char *names = memory_string(self->workers[first]->given);
    bool shared = false;
    for (size_t i = first + 1; i < self->worker_count; i++) {
        if (first_of_server(self, i) != first)
            continue;
        char *longer = memory_format("%s, %s", names, self->workers[i]->given);
        free(names);
        names = longer;
        shared = true;
    }
    if (shared)
        say(self, POLLER_NOTE,
            memory_format("%s: the server of %s; it is asked once", self->workers[first]->name,
                          names));
    free(names);
}

/* Keeps one worker a server, and those only that can be polled. */
static void merge_servers(poller_t *self)
{
    bool *keep = memory_new(self->worker_count, sizeof *keep);
    for (size_t i = 0; i < self->worker_count; i++) {
        const size_t first = first_of_server(self, i);
        keep[i] = first == i && !self->workers[i]->passed_over;
        if (keep[i])
            say_shared_server(self, i);
    }
    size_t kept = 0;
    for (size_t i = 0; i < self->worker_count; i++) {
        if (keep[i])
            self->workers[kept++] = self->workers[i];
        else
            worker_end(self->workers[i]);
    }
    self->worker_count = kept;
    free(keep);
}

static bool check_commands(poller_t *self, worker_t *worker)
{
    const tango_event_commands_t *commands = &worker->commands;
    worker->state = commands->query_event_agent ? "QueryEventAgent" : "QueryEventSystem";
    if (!has_query(commands)) {
        worker->state = "none";
        worker->passed_over = worker->optional;
        if (worker->optional)
            return true;
        say(self, POLLER_WARNING,
            memory_format("%s: has neither QueryEventAgent nor QueryEventSystem: " LOAD_THE_AGENT,
                          worker->admin.name));
        return false;
    }
    if (self->perf && !commands->enable && !commands->start_and_stop && !worker->optional) {
        say(self, POLLER_WARNING,
            memory_format("%s: has neither EnableEventSystemPerfMon nor StartEventSystemPerfMon: "
                          "leave out --monitor-perf, or " LOAD_THE_AGENT,
                          worker->admin.name));
        return false;
    }
    return true;
}

/* Whether a failure at the start may go by itself: then the server is asked again and again. */
static bool may_come_up(tango_error_kind_t kind)
{
    return kind == TANGO_ERROR_NOT_RUNNING || kind == TANGO_ERROR_TIMEOUT;
}

/* Takes what came of a worker's first try to connect. Returns whether it can be polled. */
static bool take_connection(poller_t *self, size_t i, double patience)
{
    worker_t *worker = self->workers[i];
    result_t result;
    if (!take_result(worker, &result)) {
        /* It is still busy; nothing of it but what was given may be looked at. */
        say(self, POLLER_NOTE,
            memory_format("%s: no answer within %g s" ASKED_AGAIN, worker->given, patience));
        worker->state = "no answer";
        return true;
    }
    const tango_error_kind_t kind = result.error.kind;
    bool good = true;
    if (worker->admin.name) {
        worker->found = true;
        free(worker->name);
        worker->name = memory_string(worker->admin.name);
    }
    if (kind == TANGO_ERROR_NONE) {
        if (first_of_server(self, i) == i)
            good = check_commands(self, worker);
    } else if (may_come_up(kind)) {
        worker->state = kind == TANGO_ERROR_TIMEOUT ? "no answer" : "not running";
        if (first_of_server(self, i) == i)
            say(self, POLLER_NOTE,
                memory_format("%s: %s" ASKED_AGAIN, worker->given, error_text(&result.error)));
    } else {
        say(self, POLLER_WARNING,
            memory_format("%s: %s%s", worker->given, error_text(&result.error), what_to_do(kind)));
        good = false;
    }
    result_clear(&result);
    return good;
}

/* One line for all the servers that nothing can be asked. */
static void say_passed_over(poller_t *self)
{
    size_t count = 0;
    char *names = memory_string("");
    for (size_t i = 0; i < self->worker_count; i++) {
        if (!self->workers[i]->passed_over)
            continue;
        if (count++ < PASSED_OVER_NAMES) {
            char *longer =
                memory_format("%s%s%s", names, *names ? ", " : "", self->workers[i]->name);
            free(names);
            names = longer;
        }
    }
    if (count > 0)
        say(self, POLLER_NOTE,
            memory_format("%zu of %zu servers passed over, since they have no command to ask: %s%s",
                          count, self->worker_count, names,
                          count > PASSED_OVER_NAMES ? ", ... (--list shows them all)" : ""));
    free(names);
}

void poller_list(const poller_t *self, FILE *out)
{
    size_t width = 0;
    for (size_t i = 0; i < self->worker_count; i++)
        if (strlen(self->workers[i]->name) > width)
            width = strlen(self->workers[i]->name);
    for (size_t i = 0; i < self->worker_count; i++) {
        const worker_t *worker = self->workers[i];
        if (first_of_server(self, i) == i)
            fprintf(out, "%-*s  %s\n", (int)width, worker->name,
                    worker->state ? worker->state : "unknown");
    }
}

bool poller_connect(poller_t *self, int stop_fd)
{
    /* The first connection to a server that takes connections but doesn't talk takes several
     * timeouts by itself; who waits at a terminal wants to hear of it sooner. */
    const double patience = 2 * self->timeout + 1;
    bool good = start_threads(self);
    for (size_t i = 0; i < self->worker_count; i++)
        ask(self->workers[i], TASK_CONNECT);
    if (!await(self, patience, stop_fd))
        return false;
    for (size_t i = 0; i < self->worker_count; i++)
        good &= take_connection(self, i, patience);
    return good;
}

bool poller_settle(poller_t *self)
{
    say_passed_over(self);
    merge_servers(self);
    if (self->worker_count == 0)
        say(self, POLLER_WARNING, memory_string("nothing is left to watch"));
    return self->worker_count > 0;
}

void poller_drop_texts(poller_t *self)
{
    self->keeps_texts = false;
}

void poller_start_perf(poller_t *self, int stop_fd)
{
    if (!self->perf)
        return;
    for (size_t i = 0; i < self->worker_count; i++)
        ask(self->workers[i], TASK_START_PERF);
    const bool waited = await(self, self->timeout + SLACK_SECONDS, stop_fd);
    for (size_t i = 0; i < self->worker_count && waited; i++) {
        result_t result;
        const bool answered = take_result(self->workers[i], &result);
        /* Of one that is down the user knows, and it is started with its first answer. */
        if (!answered ||
            (result.error.kind != TANGO_ERROR_NONE && result.error.kind != TANGO_ERROR_NOT_RUNNING))
            say(self, POLLER_WARNING,
                memory_format("%s: can't start performance monitoring yet: %s",
                              self->workers[i]->name,
                              answered ? error_text(&result.error) : "no answer"));
        result_clear(&result);
    }
}

snapshot_t *poller_poll(poller_t *self, int stop_fd)
{
    snapshot_t *snapshot = snapshot_new(self->worker_count);
    clock_gettime(CLOCK_REALTIME, &snapshot->time);
    for (size_t i = 0; i < self->worker_count; i++) {
        reply_t *reply = &snapshot->replies[i];
        reply->server = memory_string(self->workers[i]->name);
        if (!ask(self->workers[i], TASK_POLL))
            reply->error =
                memory_string("still hasn't answered an earlier request; not asked again");
    }
    const bool waited = await(self, self->timeout + SLACK_SECONDS, stop_fd);
    for (size_t i = 0; i < self->worker_count; i++) {
        reply_t *reply = &snapshot->replies[i];
        result_t result;
        const bool answered = take_result(self->workers[i], &result);
        if (reply->error) {
            result_clear(&result);
            continue;
        }
        if (answered) {
            reply->data = result.data;
            reply->data_size = result.data_size;
            reply->response = result.response;
            reply->seconds = result.seconds;
            result.data = NULL;
            result.response = NULL;
            if (result.error.kind != TANGO_ERROR_NONE)
                reply->error = memory_string(error_text(&result.error));
            else if (!reply->response)
                reply->error = memory_format("can't read its answer: %s",
                                             result.unreadable ? result.unreadable : "no answer");
        } else if (waited) {
            reply->seconds = self->timeout;
            reply->error = memory_format("no answer within %g s", self->timeout);
        } else {
            reply->error = memory_string("not waited for: the monitor was told to stop");
        }
        result_clear(&result);
    }
    return snapshot;
}

bool poller_stop_perf(poller_t *self, int stop_fd)
{
    bool *asked = memory_new(self->worker_count, sizeof *asked);
    for (size_t i = 0; i < self->worker_count; i++)
        asked[i] = self->workers[i]->perf_tried && ask(self->workers[i], TASK_STOP_PERF);
    const bool waited = await(self, self->timeout + SLACK_SECONDS, stop_fd);
    bool off = true;
    for (size_t i = 0; i < self->worker_count; i++) {
        result_t result;
        const bool answered = take_result(self->workers[i], &result);
        const tango_error_kind_t kind = result.error.kind;
        /* A server that is gone, or came back without the agent, monitors nothing any more. */
        const bool is_off = !asked[i] || (answered && (kind == TANGO_ERROR_NONE ||
                                                       kind == TANGO_ERROR_NOT_RUNNING ||
                                                       kind == TANGO_ERROR_NO_COMMAND));
        if (!is_off && waited)
            say(self, POLLER_WARNING,
                memory_format("%s: performance monitoring may still be on: %s: "
                              "call its StopEventSystemPerfMon when it answers again",
                              self->workers[i]->name,
                              answered ? error_text(&result.error) : "no answer"));
        off &= is_off;
        result_clear(&result);
    }
    free(asked);
    return off;
}

bool poller_destroy(poller_t **pointer)
{
    poller_t *self = *pointer;
    *pointer = NULL;
    if (!self)
        return true;
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < self->worker_count; i++)
        self->workers[i]->quit = true;
    pthread_mutex_unlock(&self->lock);
    wait_while(self, any_busy, END_SECONDS, -1);
    if (any_busy(self))
        return false;
    for (size_t i = 0; i < self->worker_count; i++)
        worker_end(self->workers[i]);
    close(self->done_fd);
    pthread_mutex_destroy(&self->lock);
    free(self->workers);
    free(self);
    return true;
}
