#include "monitor/poll/poller.h"

#include <stdlib.h>
#include <time.h>

#include "base/local_time.h"
#include "base/memory.h"
#include "base/monotonic.h"
#include "monitor/poll/poller_parts.h"

poller_t *poller_new(const target_t *targets, size_t target_count, double timeout_seconds,
                     bool perf, poller_say_t say, void *say_context, char **error)
{
    poller_t *self = memory_new(1, sizeof *self);
    char *why = NULL;
    *error = NULL;
    if (!workers_init(&self->workers, targets, target_count, timeout_seconds, &why)) {
        *error = memory_format("can't start: %s", why);
        free(why);
        free(self);
        return NULL;
    }
    self->timeout = timeout_seconds;
    self->perf = perf;
    self->say = say;
    self->say_context = say_context;
    return self;
}

void poller_shard(poller_t *self, const shard_t *shard)
{
    self->shard = *shard;
}

void poller_keep_texts(poller_t *self, bool keeps)
{
    self->workers.shared.keeps_texts = keeps;
}

/* Puts what came of asking a server into its reply. */
static void take_answer(reply_t *reply, worker_result_t *result)
{
    reply->data = result->data;
    reply->data_size = result->data_size;
    reply->response = result->response;
    reply->answered = result->answered;
    result->data = NULL;
    result->response = NULL;
    if (result->error.kind != TANGO_ERROR_NONE)
        reply->error = memory_string(worker_result_error(result));
    else if (!reply->response)
        reply->error = memory_format("can't read its answer: %s",
                                     result->unreadable ? result->unreadable : "no answer");
}

/*
 * Whether what a server that wasn't waited for has answered since the poll before is there: then it
 * is its reply to this one.
 */
static bool take_late_answer(const poller_t *self, worker_t *worker, reply_t *reply)
{
    worker_result_t result;
    if (!worker_take_result(worker, &result))
        return false;
    if (result.task == TASK_POLL || result.task == TASK_CONNECT)
        worker_note_hanging(worker, &result, self->timeout);
    const bool answers = result.task == TASK_POLL && result.error.kind == TANGO_ERROR_NONE;
    if (answers) {
        reply->time = result.asked;
        take_answer(reply, &result);
    }
    worker_result_clear(&result);
    return answers;
}

static bool is_earlier(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* The reply of a server to the poll of that time, after the wait. */
static void take_reply(const poller_t *self, worker_t *worker, const struct timespec *asked,
                       reply_t *reply, bool waited)
{
    const bool hung = worker->hangs;
    worker_result_t result;
    const bool took = worker_take_result(worker, &result);
    /* Of one that was still at something else, that is the result. */
    const bool answered = took && result.task == TASK_POLL;
    worker->passed_over |= worker->is_unproven && result.error.kind == TANGO_ERROR_NO_COMMAND;
    if (took) {
        worker_note_hanging(worker, &result, self->timeout);
    } else if (!hung && waited) {
        worker->hangs = true;
        worker->hangs_since = asked->tv_sec;
    }
    if (answered && !(hung && worker->hangs)) {
        if (is_earlier(&result.asked, asked)) /* by a poll before */
            reply->time = result.asked;
        take_answer(reply, &result);
    } else if (hung) {
        char *since = local_time_text(worker->hangs_since);
        reply->error = memory_format("no answer since %s; it is no longer waited for", since);
        free(since);
    } else if (waited) {
        reply->error = memory_format("no answer within %g s", self->timeout);
    } else {
        reply->error = memory_string("not waited for: the monitor was told to stop");
    }
    worker_result_clear(&result);
}

snapshot_t *poller_poll(poller_t *self, int stop_fd)
{
    if (self->followed)
        poller_add_followed(self);
    if (self->local)
        poller_add_local(self);
    snapshot_t *snapshot = snapshot_new(self->workers.count);
    clock_gettime(CLOCK_REALTIME, &snapshot->time);
    snapshot->asked = monotonic_seconds();
    for (size_t i = 0; i < self->workers.count; i++) {
        reply_t *reply = &snapshot->replies[i];
        reply->server = memory_string(self->workers.all[i]->name);
        /* One that is still busy with its last answer isn't asked again. */
        if (!take_late_answer(self, self->workers.all[i], reply))
            (void)worker_ask(self->workers.all[i], TASK_POLL);
    }
    const bool waited =
        workers_await(&self->workers, self->timeout + POLLER_SLACK_SECONDS, stop_fd);
    for (size_t i = 0; i < self->workers.count; i++) {
        reply_t *reply = &snapshot->replies[i];
        if (!reply->response && !reply->error)
            take_reply(self, self->workers.all[i], &snapshot->time, reply, waited);
    }
    poller_merge_late_answers(self, snapshot);
    poller_say_perf_of_others(self, snapshot);
    if (self->followed)
        poller_follow_snapshot(self, snapshot);
    poller_leave_others(self, snapshot);
    if (self->local)
        poller_leave_ended(self, snapshot);
    return snapshot;
}

bool poller_destroy(poller_t **pointer)
{
    poller_t *self = *pointer;
    *pointer = NULL;
    if (!self)
        return true;
    if (!poller_local_destroy(&self->local) || !workers_clear(&self->workers))
        return false;
    poller_followed_destroy(&self->followed);
    free(self);
    return true;
}
