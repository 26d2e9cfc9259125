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

#include "monitor/monotonic.h"
#include "monitor/worker.h"
#include "response/memory.h"
#include "tango/tango_client.h"

/* How much longer than the timeout a snapshot waits, so that a call that times out by itself at
 * the very same moment can still say so. */
#define SLACK_SECONDS 0.25

/* How long the end waits for workers that are about to come home. */
#define END_SECONDS 0.2

/* How many servers that are passed over are named in one line. */
enum { PASSED_OVER_NAMES = 3 };

#define ASKED_AGAIN "; it is asked again at every poll"

struct poller {
    workers_shared_t shared;
    worker_t **workers;
    size_t worker_count;
    double timeout;
    bool perf;
    poller_say_t say;
    void *say_context;
};

static void say(poller_t *self, poller_level_t level, char *line)
{
    self->say(self->say_context, level, line);
    free(line);
}

static const char *error_text(const tango_error_t *error)
{
    return error->text ? error->text : "unknown error";
}

static bool any_awaited(poller_t *self)
{
    bool awaited = false;
    pthread_mutex_lock(&self->shared.lock);
    for (size_t i = 0; i < self->worker_count && !awaited; i++)
        awaited = self->workers[i]->awaited;
    pthread_mutex_unlock(&self->shared.lock);
    return awaited;
}

static bool any_busy(poller_t *self)
{
    bool busy = false;
    pthread_mutex_lock(&self->shared.lock);
    for (size_t i = 0; i < self->worker_count && !busy; i++)
        busy = self->workers[i]->task != TASK_NONE;
    pthread_mutex_unlock(&self->shared.lock);
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
        struct pollfd fds[2] = {{.fd = self->shared.done_fd, .events = POLLIN},
                                {.fd = stop_fd, .events = POLLIN}};
        const struct timespec wait = {.tv_sec = (time_t)left,
                                      .tv_nsec = (long)((left - (double)(time_t)left) * 1e9)};
        if (ppoll(fds, 2, &wait, NULL) < 0)
            continue; /* EINTR: the deadline still holds */
        if (fds[1].revents)
            return false;
        uint64_t count = 0;
        if (fds[0].revents && read(self->shared.done_fd, &count, sizeof count) < 0)
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
    pthread_mutex_lock(&self->shared.lock);
    for (size_t i = 0; i < self->worker_count; i++)
        self->workers[i]->awaited = false;
    pthread_mutex_unlock(&self->shared.lock);
    return waited;
}

poller_t *poller_new(const target_t *targets, size_t target_count, double timeout_seconds,
                     bool perf, poller_say_t say_line, void *say_context)
{
    poller_t *self = memory_new(1, sizeof *self);
    pthread_mutex_init(&self->shared.lock, NULL);
    gate_init(&self->shared.connecting);
    self->timeout = timeout_seconds;
    self->perf = perf;
    self->shared.keeps_texts = true;
    self->say = say_line;
    self->say_context = say_context;
    self->shared.done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->shared.done_fd < 0) {
        perror("eventfd");
        abort();
    }
    self->worker_count = target_count;
    self->workers = memory_new(target_count, sizeof(worker_t *));
    for (size_t i = 0; i < target_count; i++)
        self->workers[i] = worker_new(&self->shared, &targets[i]);
    return self;
}

/* Starts the threads. Those that couldn't be started are taken out, and told of. */
static bool start_threads(poller_t *self)
{
    size_t kept = 0;
    int failed = 0;
    for (size_t i = 0; i < self->worker_count; i++) {
        worker_t *worker = self->workers[i];
        const int why = worker_start(worker);
        if (why == 0) {
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
    if (!worker_has_query(commands)) {
        worker->state = "none";
        worker->passed_over = worker->optional;
        if (worker->optional)
            return true;
        say(self, POLLER_WARNING,
            memory_format(
                "%s: has neither QueryEventAgent nor QueryEventSystem: " WORKER_LOAD_THE_AGENT,
                worker->admin.name));
        return false;
    }
    if (self->perf && !commands->enable && !commands->start_and_stop && !worker->optional) {
        say(self, POLLER_WARNING,
            memory_format("%s: has neither EnableEventSystemPerfMon nor StartEventSystemPerfMon: "
                          "leave out --monitor-perf, or " WORKER_LOAD_THE_AGENT,
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
    worker_result_t result;
    if (!worker_take_result(worker, &result)) {
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
    worker_result_clear(&result);
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
        worker_ask(self->workers[i], TASK_CONNECT);
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
    self->shared.keeps_texts = false;
}

void poller_start_perf(poller_t *self, int stop_fd)
{
    if (!self->perf)
        return;
    for (size_t i = 0; i < self->worker_count; i++)
        worker_ask(self->workers[i], TASK_START_PERF);
    const bool waited = await(self, self->timeout + SLACK_SECONDS, stop_fd);
    for (size_t i = 0; i < self->worker_count && waited; i++) {
        worker_result_t result;
        const bool answered = worker_take_result(self->workers[i], &result);
        /* Of one that is down the user knows, and it is started with its first answer. */
        if (!answered ||
            (result.error.kind != TANGO_ERROR_NONE && result.error.kind != TANGO_ERROR_NOT_RUNNING))
            say(self, POLLER_WARNING,
                memory_format("%s: can't start performance monitoring yet: %s",
                              self->workers[i]->name,
                              answered ? error_text(&result.error) : "no answer"));
        worker_result_clear(&result);
    }
}

/* Lets go of a worker whose server another one asks, who takes over what is to be switched off. */
static void end_double(poller_t *self, size_t i, size_t first)
{
    pthread_mutex_lock(&self->shared.lock);
    self->workers[first]->perf_tried |= self->workers[i]->perf_tried;
    pthread_mutex_unlock(&self->shared.lock);
    say(self, POLLER_NOTE,
        memory_format("%s: the server of %s; it is asked once", self->workers[i]->name,
                      self->workers[first]->name));
    worker_end(self->workers[i]);
    self->worker_count--;
    for (size_t k = i; k < self->worker_count; k++)
        self->workers[k] = self->workers[k + 1];
}

/*
 * Which server a device belongs to isn't known before that answers: two that hung at the start may
 * turn out to be one. It keeps the name that it has had so far.
 */
static void merge_late_answers(poller_t *self, snapshot_t *snapshot)
{
    bool learnt = false;
    for (size_t i = 0; i < self->worker_count; i++) {
        worker_t *worker = self->workers[i];
        if (worker->found || !snapshot->replies[i].response || !worker->admin.name)
            continue;
        worker->found = true;
        learnt = true;
    }
    /* Not with every poll: each server is held against each other one. */
    for (size_t i = learnt ? self->worker_count : 0; i-- > 0;) {
        const size_t first = first_of_server(self, i);
        if (first == i)
            continue;
        end_double(self, i, first);
        snapshot_remove(snapshot, i);
    }
}

snapshot_t *poller_poll(poller_t *self, int stop_fd)
{
    snapshot_t *snapshot = snapshot_new(self->worker_count);
    clock_gettime(CLOCK_REALTIME, &snapshot->time);
    for (size_t i = 0; i < self->worker_count; i++) {
        reply_t *reply = &snapshot->replies[i];
        reply->server = memory_string(self->workers[i]->name);
        if (!worker_ask(self->workers[i], TASK_POLL))
            reply->error =
                memory_string("still hasn't answered an earlier request; not asked again");
    }
    const bool waited = await(self, self->timeout + SLACK_SECONDS, stop_fd);
    for (size_t i = 0; i < self->worker_count; i++) {
        reply_t *reply = &snapshot->replies[i];
        worker_result_t result;
        const bool answered = worker_take_result(self->workers[i], &result);
        if (reply->error) {
            worker_result_clear(&result);
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
        worker_result_clear(&result);
    }
    merge_late_answers(self, snapshot);
    return snapshot;
}

bool poller_stop_perf(poller_t *self, int stop_fd)
{
    bool *asked = memory_new(self->worker_count, sizeof *asked);
    for (size_t i = 0; i < self->worker_count; i++)
        asked[i] = self->workers[i]->perf_tried && worker_ask(self->workers[i], TASK_STOP_PERF);
    const bool waited = await(self, self->timeout + SLACK_SECONDS, stop_fd);
    bool off = true;
    for (size_t i = 0; i < self->worker_count; i++) {
        worker_result_t result;
        const bool answered = worker_take_result(self->workers[i], &result);
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
        worker_result_clear(&result);
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
    pthread_mutex_lock(&self->shared.lock);
    for (size_t i = 0; i < self->worker_count; i++)
        self->workers[i]->quit = true;
    pthread_mutex_unlock(&self->shared.lock);
    wait_while(self, any_busy, END_SECONDS, -1);
    if (any_busy(self))
        return false;
    for (size_t i = 0; i < self->worker_count; i++)
        worker_end(self->workers[i]);
    close(self->shared.done_fd);
    gate_destroy(&self->shared.connecting);
    pthread_mutex_destroy(&self->shared.lock);
    free(self->workers);
    free(self);
    return true;
}
