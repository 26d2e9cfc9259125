#include "monitor/poll/worker.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/monotonic.h"
#include "base/reasons.h"

/* Enough for a CORBA call and for parsing an answer as deep as the JSON library accepts; small,
 * since there may be hundreds of servers. */
#define WORKER_STACK_SIZE ((size_t)1 << 20)

/* How long a server without commands may still be starting. */
#define START_NS 200000000L

const char *worker_result_error(const worker_result_t *result)
{
    return result->error.text ? result->error.text : "unknown error";
}

void worker_result_clear(worker_result_t *result)
{
    tango_error_clear(&result->error);
    free(result->data);
    free(result->unreadable);
    response_destroy(&result->response);
    *result = (worker_result_t){0};
}

static void own_error(tango_error_t *error, tango_error_kind_t kind, const char *text)
{
    tango_error_clear(error);
    error->kind = kind;
    error->text = memory_string(text);
}

/* ---- in its thread ---- */

bool worker_has_query(const tango_event_commands_t *commands)
{
    return commands->query_event_agent || commands->query_event_system;
}

bool worker_has_perf(const tango_event_commands_t *commands)
{
    return commands->enable || commands->start_and_stop;
}

/*
 * All threads that ask a database share a lock of the Tango library's, which wakes each of them
 * whenever one is done: hundreds of threads would do little else. Hence the permits.
 */
static void connect_link(worker_t *self, tango_error_t *error)
{
    permits_t *permits = &self->shared->connecting;
    const bool needs_permit = link_asks_database(self->link);
    const int64_t permit = needs_permit ? permits_acquire(permits) : 0;
    (void)link_connect(self->link, &self->admin, error);
    if (needs_permit)
        permits_release(permits, permit);
}

/* May be called again: continues where it left off. */
static void do_connect(worker_t *self, tango_error_t *error)
{
    connect_link(self, error);
    if (!self->admin.name)
        return;
    self->restarted =
        !link_is_connected(self->link) || !link_event_commands(self->link, &self->commands, error);
    /* While a server starts, its devices answer a moment before the agent's commands are there. */
    if (!self->restarted && !worker_has_query(&self->commands)) {
        const struct timespec moment = {.tv_nsec = START_NS};
        nanosleep(&moment, NULL);
        self->restarted = !link_event_commands(self->link, &self->commands, error) ||
                          !worker_has_query(&self->commands);
    }
}

/*
 * If our agent is loaded besides the built-in command, EnableEventSystemPerfMon is for the built-in
 * one; the agent's, which we ask, is switched by the other two.
 */
static void switch_perf(worker_t *self, bool on, tango_error_t *error)
{
    const tango_event_commands_t *commands = &self->commands;
    if (!link_is_connected(self->link))
        own_error(error, TANGO_ERROR_NOT_RUNNING, REASON_NOT_RUNNING);
    else if (!worker_has_perf(commands))
        own_error(error, TANGO_ERROR_NO_COMMAND, "it has no command for that");
    else if (commands->enable && !(commands->query_event_agent && commands->start_and_stop))
        link_call_boolean(self->link, "EnableEventSystemPerfMon", on, error);
    else
        link_call(self->link, on ? "StartEventSystemPerfMon" : "StopEventSystemPerfMon", error);
}

/* Learns the commands of a server that may have been restarted. */
static bool refresh_commands(worker_t *self, tango_error_t *error)
{
    tango_event_commands_t commands;
    if (!link_event_commands(self->link, &commands, error))
        return false;
    if (!worker_has_query(&commands)) {
        const bool had = worker_has_query(&self->commands);
        own_error(error, TANGO_ERROR_NO_COMMAND,
                  had ? REASON_COMMAND_GONE ": QueryEventSystem is gone"
                      : REASON_NO_COMMAND ": " WORKER_LOAD_THE_AGENT);
        return false;
    }
    self->commands = commands;
    self->restarted = false;
    return true;
}

static void query(worker_t *self, worker_result_t *result)
{
    const char *command = self->commands.query_event_agent ? "QueryEventAgent" : "QueryEventSystem";
    result->data = link_call_string(self->link, command, &result->data_size, &result->error);
}

static void do_poll(worker_t *self, worker_result_t *result)
{
    if (!link_is_connected(self->link))
        do_connect(self, &result->error);
    const bool connected = link_is_connected(self->link) && result->error.kind == TANGO_ERROR_NONE;
    if (connected && (!self->restarted || refresh_commands(self, &result->error))) {
        query(self, result);
        if (!result->data && result->error.kind == TANGO_ERROR_NO_COMMAND) {
            tango_error_clear(&result->error);
            if (refresh_commands(self, &result->error))
                query(self, result);
        }
    }
    result->answered = monotonic_seconds();
    if (!result->data) {
        self->restarted |= result->error.kind == TANGO_ERROR_NOT_RUNNING ||
                           result->error.kind == TANGO_ERROR_NO_COMMAND;
        return;
    }
    result->response = response_parse(result->data, result->data_size, &result->unreadable);
    if (!self->shared->keeps_texts) {
        free(result->data);
        result->data = NULL;
        result->data_size = 0;
    }
}

bool worker_perf_is_on(const response_t *response)
{
    return response && ((response->has_server && response->push_perf_on) ||
                        (response->has_client && response->receive_perf_on));
}

/* Whether an answer shows that it is off on one of its sides, as it is after a restart. */
static bool perf_is_off(const response_t *response)
{
    return response && ((response->has_server && !response->push_perf_on) ||
                        (response->has_client && !response->receive_perf_on));
}

/* What we switched on went with its process. Locked. */
static void note_process(worker_t *self, const response_t *response)
{
    if (!response)
        return;
    if (self->pid != RESPONSE_UNKNOWN && response->agent_pid != self->pid)
        self->perf_ours = false;
    self->pid = response->agent_pid;
}

/*
 * Switches performance monitoring on after an answer that shows it off, or doesn't say. What was
 * off is switched off again at the end; what was on isn't ours to switch off. Called unlocked.
 */
static void start_perf(worker_t *self, bool was_on, tango_error_t *error)
{
    pthread_mutex_t *lock = &self->shared->lock;
    pthread_mutex_lock(lock);
    const bool wanted = self->perf_wanted && self->next != TASK_STOP_PERF && !self->quit;
    self->perf_ours |= wanted && !was_on;
    pthread_mutex_unlock(lock);
    if (wanted)
        switch_perf(self, true, error);
}

/*
 * Asks for its state before switching it on. If it is on, that answer contains samples that exist
 * nowhere else any more: it is kept for the next poll.
 */
static void do_start_perf(worker_t *self, worker_result_t *result)
{
    do_poll(self, result);
    if (result->error.kind != TANGO_ERROR_NONE)
        return;
    const bool was_on = worker_perf_is_on(result->response);
    const bool is_off = perf_is_off(result->response);
    pthread_mutex_lock(&self->shared->lock);
    note_process(self, result->response);
    pthread_mutex_unlock(&self->shared->lock);
    if (was_on) {
        result->task = TASK_POLL;
    } else {
        worker_result_clear(result);
        result->task = TASK_START_PERF;
    }
    if (was_on && is_off) {
        tango_error_t error = {0};
        start_perf(self, was_on, &error); /* a failure shows: the next answer is the same */
        tango_error_clear(&error);
    } else if (!was_on) {
        start_perf(self, was_on, &result->error);
    }
}

/* Wakes the poller's thread if it waits. An eventfd that is full is readable: good enough. */
static void wake_poller(const workers_shared_t *self)
{
    const uint64_t one = 1;
    while (write(self->done_fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

/* One that can't be reached may still have it on when it is back, if it is the same process. */
static bool is_off_after(const worker_result_t *result)
{
    const tango_error_kind_t kind = result->error.kind;
    return result->task == TASK_STOP_PERF &&
           (kind == TANGO_ERROR_NONE || kind == TANGO_ERROR_NO_COMMAND);
}

/* Stores a result for the poller, which takes it now or, if it isn't waiting, with the next poll.
 * Locked. */
static void deliver(worker_t *self, worker_result_t *result)
{
    worker_result_clear(&self->result);
    self->result = *result;
    self->answered = self->delivered = true;
    if (self->awaited)
        wake_poller(self->shared);
    self->awaited = false;
}

/* Does self->task. Called and left locked. */
static void run_task(worker_t *self)
{
    pthread_mutex_t *lock = &self->shared->lock;
    const worker_task_t task = self->task;
    worker_result_t result = {.task = task};
    pthread_mutex_unlock(lock);
    clock_gettime(CLOCK_REALTIME, &result.asked);
    const double start = monotonic_seconds();
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
        do_start_perf(self, &result);
        break;
    case TASK_STOP_PERF:
        switch_perf(self, false, &result.error);
        break;
    }
    if (result.error.kind != TANGO_ERROR_NONE)
        result.seconds = monotonic_seconds() - start;
    result.process = link_process(self->link);
    const bool was_on = worker_perf_is_on(result.response);
    const bool start_again = task == TASK_POLL && perf_is_off(result.response);
    pthread_mutex_lock(lock);
    note_process(self, result.response);
    if (is_off_after(&result)) /* whoever starts it next */
        self->perf_ours = false;
    const bool wanted = self->perf_wanted;
    /* Not for a poll with a stop waiting after it: the poller waits for the stop. */
    if (self->next == TASK_NONE)
        deliver(self, &result);
    else
        worker_result_clear(&result);
    if (start_again && wanted) {
        tango_error_t error = {0};
        pthread_mutex_unlock(lock);
        start_perf(self, was_on, &error); /* a failure shows: the next answer lacks samples, too */
        tango_error_clear(&error);
        pthread_mutex_lock(lock);
    }
}

static void *worker_main(void *argument)
{
    worker_t *self = argument;
    pthread_mutex_t *lock = &self->shared->lock;
    pthread_mutex_lock(lock);
    for (;;) {
        while (self->task == TASK_NONE && !self->quit)
            pthread_cond_wait(&self->wake, lock);
        if (self->task == TASK_NONE)
            break;
        self->delivered = false;
        run_task(self);
        self->task = self->next;
        self->next = TASK_NONE;
        if (self->quit && self->task == TASK_NONE)
            wake_poller(self->shared);
    }
    pthread_mutex_unlock(lock);
    link_destroy(&self->link); /* by the thread that has made its connection */
    return NULL;
}

/* ---- in the poller's thread ---- */

worker_t *worker_new(workers_shared_t *shared, const target_t *target)
{
    const char *given = target->name;
    worker_t *self = memory_new(1, sizeof *self);
    self->shared = shared;
    self->given = memory_string(given);
    self->name = memory_string(given);
    self->link = link_new(target, shared->timeout);
    self->optional = target->optional;
    self->is_local = target->is_local;
    self->found_process = target->pid;
    self->pid = RESPONSE_UNKNOWN;
    pthread_cond_init(&self->wake, NULL);
    return self;
}

bool worker_start(worker_t *self, char **error)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, WORKER_STACK_SIZE);
    const int why = pthread_create(&self->thread, &attributes, worker_main, self);
    pthread_attr_destroy(&attributes);
    self->has_thread = why == 0;
    *error = self->has_thread ? NULL : memory_string(strerror(why));
    return self->has_thread;
}

void worker_destroy(worker_t **pointer)
{
    worker_t *self = *pointer;
    *pointer = NULL;
    if (!self)
        return;
    pthread_mutex_lock(&self->shared->lock);
    self->quit = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->shared->lock);
    if (self->has_thread)
        pthread_join(self->thread, NULL);
    pthread_cond_destroy(&self->wake);
    worker_result_clear(&self->result);
    link_destroy(&self->link);
    tango_admin_clear(&self->admin);
    free(self->complaint);
    free(self->given);
    free(self->name);
    free(self);
}

bool worker_ask(worker_t *self, worker_task_t task)
{
    pthread_mutex_lock(&self->shared->lock);
    const bool idle = self->task == TASK_NONE;
    /* One that hangs at the start is switched on after its first answer. */
    self->perf_wanted |= task == TASK_START_PERF;
    /* After its answer it may be switching performance monitoring on again. */
    const bool waits = task == TASK_POLL && self->delivered && self->next != TASK_STOP_PERF;
    /* One that came just now has samples that exist nowhere else any more. */
    const bool has_answer = self->answered && self->result.task == TASK_POLL;
    const bool taken =
        task == TASK_STOP_PERF || ((idle || waits) && !(task == TASK_POLL && has_answer));
    if (taken) {
        worker_result_clear(&self->result);
        self->answered = false;
        self->awaited = !self->hangs || task == TASK_STOP_PERF;
        if (idle)
            self->task = task;
        else
            self->next = task;
        pthread_cond_signal(&self->wake);
    }
    pthread_mutex_unlock(&self->shared->lock);
    return taken;
}

void worker_want_perf(worker_t *self)
{
    pthread_mutex_lock(&self->shared->lock);
    self->perf_wanted = true;
    pthread_mutex_unlock(&self->shared->lock);
}

bool worker_end_perf(worker_t *self)
{
    pthread_mutex_lock(&self->shared->lock);
    self->perf_wanted = false;
    const bool ours = self->perf_ours;
    pthread_mutex_unlock(&self->shared->lock);
    return ours;
}

bool worker_owns_perf(worker_t *self)
{
    pthread_mutex_lock(&self->shared->lock);
    const bool ours = self->perf_ours;
    pthread_mutex_unlock(&self->shared->lock);
    return ours;
}

bool worker_has_answer(worker_t *self)
{
    pthread_mutex_lock(&self->shared->lock);
    const bool has = self->answered && self->result.task == TASK_POLL;
    pthread_mutex_unlock(&self->shared->lock);
    return has;
}

bool worker_take_result(worker_t *self, worker_result_t *result)
{
    pthread_mutex_lock(&self->shared->lock);
    const bool answered = self->answered;
    *result = self->result;
    self->result = (worker_result_t){0};
    self->answered = false;
    pthread_mutex_unlock(&self->shared->lock);
    if (answered)
        self->process = result->process;
    return answered;
}

void worker_note_hanging(worker_t *self, const worker_result_t *result, double timeout)
{
    const tango_error_kind_t kind = result->error.kind;
    const bool hangs =
        kind == TANGO_ERROR_TIMEOUT || (kind != TANGO_ERROR_NONE && result->seconds > timeout / 2);
    if (hangs && !self->hangs)
        self->hangs_since = result->asked.tv_sec;
    self->hangs = hangs;
}
