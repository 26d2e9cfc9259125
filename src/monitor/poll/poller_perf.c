#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "monitor/poll/poller_parts.h"

/* Reports a failure. */
static void take_start_of_perf(poller_t *self, worker_t *worker)
{
    worker_result_t result;
    const bool answered = worker_take_result(worker, &result);
    const tango_error_kind_t kind = result.error.kind;
    if (!answered) {
        worker->hangs = true;
        worker->hangs_since = time(NULL) - (time_t)self->timeout;
    }
    /* If it couldn't be asked, or has no command for it, the user already knows; if that changes,
     * it is started with the first answer. */
    const bool known = worker->failed || kind == TANGO_ERROR_NONE ||
                       kind == TANGO_ERROR_NOT_RUNNING || kind == TANGO_ERROR_NO_COMMAND;
    if (!answered || !known)
        poller_say(self, POLLER_WARNING,
                   memory_format("%s: can't start performance monitoring yet: %s", worker->name,
                                 answered ? worker_result_error(&result) : "no answer"));
    worker_result_clear(&result);
}

void poller_start_perf(poller_t *self, int stop_fd)
{
    if (!self->perf)
        return;
    for (size_t i = 0; i < self->workers.count; i++)
        if (self->shard.count == 0 || self->workers.all[i]->found)
            worker_ask(self->workers.all[i], TASK_START_PERF);
    const bool waited =
        workers_await(&self->workers, self->timeout + POLLER_SLACK_SECONDS, stop_fd);
    for (size_t i = 0; i < self->workers.count && waited; i++) {
        worker_t *worker = self->workers.all[i];
        if (!worker->hangs && !worker_has_answer(worker))
            take_start_of_perf(self, worker);
    }
}

void poller_set_perf(poller_t *self, bool perf)
{
    self->perf = perf;
}

static bool has_perf_of_others(const worker_t *worker)
{
    return worker->perf_of_others;
}

void poller_say_perf_of_others(poller_t *self, const snapshot_t *snapshot)
{
    for (size_t i = 0; i < self->workers.count; i++) {
        worker_t *worker = self->workers.all[i];
        const response_t *response = snapshot->replies[i].response;
        const bool tells = response && (response->has_server || response->has_client);
        worker->perf_of_others =
            tells && !worker->perf_seen && worker_perf_is_on(response) && !worker_owns_perf(worker);
        worker->perf_seen |= tells;
    }
    size_t count = 0;
    char *names = workers_names(&self->workers, has_perf_of_others, self->workers.count, &count);
    if (count > 0)
        poller_say(self, POLLER_NOTE,
                   memory_format(
                       "performance monitoring was switched on by somebody else, or by a monitor "
                       "that was killed, and stays on: %s: to switch it off, call "
                       "StopEventSystemPerfMon, or else EnableEventSystemPerfMon with false%s",
                       names, self->perf ? "; each monitor gets only a part of the samples" : ""));
    free(names);
}

bool poller_stop_perf(poller_t *self, int stop_fd)
{
    bool *asked = memory_new(self->workers.count, sizeof *asked);
    for (size_t i = 0; i < self->workers.count; i++)
        asked[i] = worker_end_perf(self->workers.all[i]) &&
                   worker_ask(self->workers.all[i], TASK_STOP_PERF);
    const bool waited =
        workers_await(&self->workers, self->timeout + POLLER_SLACK_SECONDS, stop_fd);
    bool off = true;
    for (size_t i = 0; i < self->workers.count; i++) {
        worker_result_t result;
        if (!asked[i]) /* if it has an answer, that is for the next poll */
            continue;
        const bool answered = worker_take_result(self->workers.all[i], &result);
        const tango_error_kind_t kind = result.error.kind;
        /* A server that is gone, or came back without the agent, monitors nothing any more. */
        const bool is_off =
            answered && (kind == TANGO_ERROR_NONE || kind == TANGO_ERROR_NOT_RUNNING ||
                         kind == TANGO_ERROR_NO_COMMAND);
        if (!is_off && waited)
            poller_say(self, POLLER_WARNING,
                       memory_format("%s: performance monitoring may still be on: %s: "
                                     "call its StopEventSystemPerfMon when it answers again",
                                     self->workers.all[i]->name,
                                     answered ? worker_result_error(&result) : "no answer"));
        off &= is_off;
        worker_result_clear(&result);
    }
    free(asked);
    return off;
}
