#include "monitor/worker.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "monitor/monotonic.h"
#include "response/memory.h"

/* Room for a CORBA call and for parsing an answer as deep as the JSON library takes; small, since
 * there may be hundreds of servers. */
#define WORKER_STACK_SIZE ((size_t)1 << 20)

/* How long a server without commands may still be starting. */
#define START_NS 200000000L

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

/*
 * All who ask a database share a lock of the Tango library's that wakes each of them whenever one
 * is done: hundreds at once would do little else. Hence the gate.
 */
static void find_device(worker_t *self, tango_error_t *error)
{
    gate_t *gate = &self->shared->connecting;
    const int64_t entered = gate_enter(gate);
    if ((self->admin.name ||
         tango_client_find_admin(self->given, &self->admin, &self->device, error)) &&
        !self->device)
        self->device = tango_device_new(self->admin.name, error);
    gate_leave(gate, entered);
}

/* May be called again: does what is still to be done. */
static void do_connect(worker_t *self, tango_error_t *error)
{
    find_device(self, error);
    if (!self->admin.name)
        return;
    self->restarted =
        !self->device || !tango_device_event_commands(self->device, &self->commands, error);
    /* While a server starts, its devices answer a moment before the agent's commands are there. */
    if (!self->restarted && !worker_has_query(&self->commands)) {
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
    if (!worker_has_query(&commands)) {
        const bool had = worker_has_query(&self->commands);
        own_error(error, TANGO_ERROR_NO_COMMAND,
                  had ? "it was restarted without the agent: QueryEventSystem is gone"
                      : "has neither QueryEventAgent nor QueryEventSystem: " WORKER_LOAD_THE_AGENT);
        return false;
    }
    self->commands = commands;
    self->restarted = false;
    return true;
}

static void query(worker_t *self, worker_result_t *result)
{
    const char *command = self->commands.query_event_agent ? "QueryEventAgent" : "QueryEventSystem";
    result->data =
        tango_device_call_string(self->device, command, &result->data_size, &result->error);
}

static void do_poll(worker_t *self, worker_result_t *result)
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
    if (!self->shared->keeps_texts) {
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
static void wake_poller(const workers_shared_t *self)
{
    const uint64_t one = 1;
    while (write(self->done_fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

/* Hands a result to who waits for it; one that came too late is thrown away. Locked. */
static void deliver(worker_t *self, worker_result_t *result)
{
    if (self->awaited) {
        self->awaited = false;
        self->answered = true;
        self->result = *result;
        *result = (worker_result_t){0};
        wake_poller(self->shared);
    }
    worker_result_clear(result);
}

/* Does self->task. Called and left locked. */
static void run_task(worker_t *self)
{
    pthread_mutex_t *lock = &self->shared->lock;
    const worker_task_t task = self->task;
    worker_result_t result = {0};
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
        worker_result_clear(&result);
    if (start_again && self->perf_wanted && self->next == TASK_NONE && !self->quit) {
        tango_error_t error = {0};
        self->perf_tried = true;
        pthread_mutex_unlock(lock);
        switch_perf(self, true, &error); /* a failure shows: the next answer lacks samples, too */
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
        run_task(self);
        self->task = self->next;
        self->next = TASK_NONE;
        if (self->quit && self->task == TASK_NONE)
            wake_poller(self->shared);
    }
    pthread_mutex_unlock(lock);
    tango_device_destroy(&self->device);
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
    self->optional = target->optional;
    pthread_cond_init(&self->wake, NULL);
    return self;
}

void worker_free(worker_t *self)
{
    pthread_cond_destroy(&self->wake);
    worker_result_clear(&self->result);
    tango_admin_clear(&self->admin);
    free(self->given);
    free(self->name);
    free(self);
}

int worker_start(worker_t *self)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, WORKER_STACK_SIZE);
    const int why = pthread_create(&self->thread, &attributes, worker_main, self);
    pthread_attr_destroy(&attributes);
    self->has_thread = why == 0;
    return why;
}

void worker_end(worker_t *self)
{
    pthread_mutex_lock(&self->shared->lock);
    self->quit = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->shared->lock);
    if (self->has_thread)
        pthread_join(self->thread, NULL);
    worker_free(self);
}

bool worker_ask(worker_t *self, worker_task_t task)
{
    pthread_mutex_lock(&self->shared->lock);
    const bool idle = self->task == TASK_NONE;
    /* One that hangs at the start is switched on after its first answer. */
    self->perf_wanted |= task == TASK_START_PERF;
    const bool taken = idle || task == TASK_STOP_PERF;
    if (taken) {
        worker_result_clear(&self->result);
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
    pthread_mutex_unlock(&self->shared->lock);
    return taken;
}

bool worker_take_result(worker_t *self, worker_result_t *result)
{
    pthread_mutex_lock(&self->shared->lock);
    const bool answered = self->answered;
    *result = self->result;
    self->result = (worker_result_t){0};
    self->answered = false;
    pthread_mutex_unlock(&self->shared->lock);
    return answered;
}
