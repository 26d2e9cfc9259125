#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/printable.h"
#include "base/reasons.h"
#include "monitor/poll/poller_parts.h"
#include "tango/tango_client.h"

#define ASKED_AGAIN "; it is tried again at every poll"

void poller_say_no_thread(poller_t *self, const char *server, const char *error)
{
    poller_say(self, POLLER_WARNING,
               memory_format("%s: can't start a thread for it: %s: watch fewer servers at once, or "
                             "raise the limit (ulimit -u)",
                             server, error));
}

double poller_patience(const poller_t *self)
{
    return 2 * self->timeout + 1;
}

/* Starts the threads. Workers whose thread couldn't be started are removed, and reported. */
static bool start_threads(poller_t *self)
{
    size_t kept = 0;
    bool all = true;
    for (size_t i = 0; i < self->workers.count; i++) {
        worker_t *worker = self->workers.all[i];
        char *error = NULL;
        if (worker_start(worker, &error)) {
            self->workers.all[kept++] = worker;
            continue;
        }
        poller_say_no_thread(self, worker->given, error);
        free(error);
        worker_destroy(&worker);
        all = false;
    }
    self->workers.count = kept;
    return all;
}

void poller_say_complaint(poller_t *self, worker_t *worker, bool goes_on)
{
    if (!worker->complaint)
        return;
    const bool again = goes_on && worker->failed;
    poller_say(self, worker->wrong ? POLLER_WARNING : POLLER_NOTE,
               memory_format("%s%s", worker->complaint, again ? ASKED_AGAIN : ""));
    free(worker->complaint);
    worker->complaint = NULL;
}

void poller_check_commands(poller_t *self, worker_t *worker)
{
    const tango_event_commands_t *commands = &worker->commands;
    worker->state = commands->query_event_agent ? "QueryEventAgent" : "QueryEventSystem";
    if (!worker_has_query(commands)) {
        worker->state = "none";
        worker->passed_over = worker->optional;
        worker->failed = worker->wrong = !worker->optional;
        if (worker->wrong)
            worker->complaint = memory_format("%s: " REASON_NO_COMMAND ": " WORKER_LOAD_THE_AGENT,
                                              worker->admin.name);
    } else if (self->perf && !worker_has_perf(commands)) {
        worker->complaint = memory_format(
            "%s: has neither EnableEventSystemPerfMon nor StartEventSystemPerfMon, so "
            "--monitor-perf does nothing there: " WORKER_LOAD_THE_AGENT,
            worker->admin.name);
    }
}

bool poller_may_come_up(tango_error_kind_t kind)
{
    return kind == TANGO_ERROR_NOT_RUNNING || kind == TANGO_ERROR_TIMEOUT;
}

const char *poller_state_of_failure(tango_error_kind_t kind)
{
    switch (kind) {
    case TANGO_ERROR_NOT_RUNNING:
        return "not running";
    case TANGO_ERROR_TIMEOUT:
        return "no answer";
    case TANGO_ERROR_NO_DEVICE:
        return "no such device";
    case TANGO_ERROR_DATABASE:
    case TANGO_ERROR_TANGO_HOST:
        return "no database";
    case TANGO_ERROR_FILES:
        return "too many open files";
    case TANGO_ERROR_NO_COMMAND:
        return "none";
    case TANGO_ERROR_NONE:
    case TANGO_ERROR_OTHER:
        break;
    }
    return "error";
}

/* Takes the result of a worker's first attempt to connect. */
static void take_connection(poller_t *self, size_t i, double patience)
{
    worker_t *worker = self->workers.all[i];
    worker_result_t result;
    if (!worker_take_result(worker, &result)) {
        /* It is still busy; only what it was given may be read. */
        worker->failed = true;
        worker->hangs = true;
        worker->hangs_since = time(NULL) - (time_t)patience;
        worker->state = poller_state_of_failure(TANGO_ERROR_TIMEOUT);
        worker->complaint = memory_format("%s: no answer within %g s", worker->given, patience);
        return;
    }
    const tango_error_kind_t kind = result.error.kind;
    worker_note_hanging(worker, &result, self->timeout);
    if (worker->admin.name) {
        worker->found = true;
        free(worker->name);
        worker->name = memory_string(worker->admin.name);
        poller_tell_apart(self, i);
    }
    if (workers_first_of_server(&self->workers, i) == i) {
        if (kind == TANGO_ERROR_NONE) {
            poller_check_commands(self, worker);
        } else if (kind == TANGO_ERROR_NO_COMMAND && worker->optional) {
            worker->state = poller_state_of_failure(kind); /* a process without an agent */
            worker->passed_over = true;
        } else {
            worker->failed = true;
            worker->wrong = !poller_may_come_up(kind);
            worker->state = poller_state_of_failure(kind);
            worker->complaint = memory_format(
                "%s: %s%s", worker->given, worker_result_error(&result), tango_error_advice(kind));
        }
    }
    worker_result_clear(&result);
}

/* What is wrong with a server in another shard is said there. */
static void note_shard(const poller_t *self, worker_t *worker)
{
    worker->elsewhere =
        !shard_has(&self->shard, worker->found ? worker->admin.name : worker->given);
    if (!worker->elsewhere)
        return;
    worker->wrong = false;
    free(worker->complaint);
    worker->complaint = NULL;
}

/* Whether there is anything that can be watched, now or later, or else nothing wrong. */
static bool can_begin(const poller_t *self)
{
    bool wrong = self->unstarted;
    for (size_t i = 0; i < self->workers.count; i++) {
        const worker_t *worker = self->workers.all[i];
        if (!worker->wrong && !worker->passed_over &&
            workers_first_of_server(&self->workers, i) == i)
            return true;
        wrong |= worker->wrong;
    }
    return !wrong;
}

bool poller_connect(poller_t *self, int stop_fd)
{
    const double patience = poller_patience(self);
    self->unstarted = !start_threads(self);
    for (size_t i = 0; i < self->workers.count; i++)
        worker_ask(self->workers.all[i], TASK_CONNECT);
    if (!workers_await(&self->workers, patience, stop_fd))
        return false;
    for (size_t i = 0; i < self->workers.count; i++)
        take_connection(self, i, patience);
    for (size_t i = 0; i < self->workers.count; i++)
        note_shard(self, self->workers.all[i]);
    poller_leave_others(self, NULL);
    const bool begins = can_begin(self);
    for (size_t i = 0; i < self->workers.count; i++)
        poller_say_complaint(self, self->workers.all[i], begins);
    return begins;
}

bool poller_is_complete(const poller_t *self)
{
    bool complete = !self->unstarted;
    for (size_t i = 0; i < self->workers.count; i++)
        complete &= !self->workers.all[i]->wrong;
    return complete;
}

void poller_list(const poller_t *self, FILE *out)
{
    const bool utf8 = printable_locale_is_utf8();
    char **names = memory_new(self->workers.count, sizeof *names);
    size_t width = 0;
    for (size_t i = 0; i < self->workers.count; i++) {
        names[i] = printable_copy(self->workers.all[i]->name, utf8);
        const size_t cells = printable_width(names[i]);
        width = cells > width ? cells : width;
    }
    for (size_t i = 0; i < self->workers.count; i++) {
        const char *state = self->workers.all[i]->state;
        if (workers_first_of_server(&self->workers, i) == i && !self->workers.all[i]->elsewhere)
            fprintf(out, "%s%*s  %s\n", names[i], (int)(width - printable_width(names[i])), "",
                    state ? state : "unknown");
        free(names[i]);
    }
    free(names);
}
