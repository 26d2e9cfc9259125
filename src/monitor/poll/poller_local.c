/*
 * poller_local: --local goes on: adds processes of this machine that have begun since, and takes
 * out clients that have ended, for whom that is usual. Also recognizes a process that is watched
 * under two names by its answers.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/reasons.h"
#include "monitor/poll/finder.h"
#include "monitor/poll/poller_parts.h"

struct local {
    finder_t *finder;
    const selection_options_t *exclusions;
};

void poller_find_local(poller_t *self, const selection_options_t *exclusions)
{
    char *error = NULL;
    finder_t *finder = finder_new(self->timeout, &error);
    if (!finder) {
        poller_say(self, POLLER_WARNING,
                   memory_format("--local: processes that begin later aren't found: %s", error));
        free(error);
        return;
    }
    self->local = memory_new(1, sizeof *self->local);
    *self->local = (local_t){finder, exclusions};
}

bool poller_local_destroy(local_t **pointer)
{
    local_t *self = *pointer;
    *pointer = NULL;
    if (!self)
        return true;
    if (!finder_destroy(&self->finder))
        return false;
    free(self);
    return true;
}

/* ---- those that have begun ---- */

static bool has_name(worker_t *const *workers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(workers[i]->name, name) == 0)
            return true;
    return false;
}

static bool is_taken(const poller_t *self, const char *name)
{
    return has_name(self->workers.all, self->workers.count, name) ||
           has_name(self->workers.connecting, self->workers.connecting_count, name);
}

static bool has_process(worker_t *const *workers, size_t count, pid_t pid)
{
    for (size_t i = 0; i < count; i++)
        if (workers[i]->process == pid)
            return true;
    return false;
}

/* As the selection names those that are there at the start. */
static char *name_of(const poller_t *self, const local_process_t *process)
{
    if (process->admin)
        return memory_format("pid:%ld", (long)process->pid);
    char *name = local_process_client_name(process, false);
    if (!is_taken(self, name))
        return name;
    free(name);
    return local_process_client_name(process, true);
}

static void connect_to(poller_t *self, const local_process_t *process)
{
    if (has_process(self->workers.all, self->workers.count, process->pid) ||
        selection_excludes_process(self->local->exclusions, process))
        return;
    char *error = NULL;
    char *name = name_of(self, process);
    const target_t target = {
        .name = name,
        .optional = true,
        .pid = process->pid,
        .is_local = true,
    };
    if (shard_has(&self->shard, process->admin ? process->admin : name) && !is_taken(self, name) &&
        !workers_connect(&self->workers, &target, &error))
        poller_say_no_thread(self, name, error);
    free(error);
    free(name);
}

/* Whether one that has connected is watched already, under whatever name. */
static bool is_watched(const poller_t *self, const worker_t *worker)
{
    for (size_t i = 0; i < self->workers.count; i++) {
        const worker_t *other = self->workers.all[i];
        if (other->process > 0 && other->process == worker->process)
            return true;
        if (other->found && worker->found &&
            strcmp(other->admin.identity, worker->admin.identity) == 0)
            return !workers_of_two_users(other, worker);
    }
    return false;
}

static void say_added(poller_t *self, size_t first)
{
    const size_t count = self->workers.count - first;
    char *names = memory_string("");
    for (size_t i = first; i < self->workers.count; i++) {
        char *longer =
            memory_format("%s%s%s", names, *names ? ", " : "", self->workers.all[i]->name);
        free(names);
        names = longer;
    }
    if (count > 0)
        poller_say(self, POLLER_NOTE,
                   memory_format("%zu more process%s of this machine %s watched: %s", count,
                                 count == 1 ? "" : "es", count == 1 ? "is" : "are", names));
    free(names);
}

/* Takes those that have connected since. */
static void take_connected(poller_t *self)
{
    const size_t before = self->workers.count;
    for (size_t i = 0; i < self->workers.connecting_count;) {
        worker_t *worker = self->workers.connecting[i];
        worker_result_t result;
        if (!worker->is_local || !worker_take_result(worker, &result)) {
            i++;
            continue;
        }
        if (worker->admin.name) {
            worker->found = true;
            free(worker->name);
            worker->name = memory_string(worker->admin.name);
        }
        if (result.error.kind == TANGO_ERROR_NONE && !is_watched(self, worker)) {
            poller_check_commands(self, worker);
            if (self->perf)
                worker_want_perf(worker);
            workers_add_connecting(&self->workers, i);
            poller_tell_apart(self, self->workers.count - 1);
        } else {
            if (result.error.kind != TANGO_ERROR_NONE)
                finder_find_again(self->local->finder, worker->found_process);
            workers_end_connecting(&self->workers, i);
        }
        worker_result_clear(&result);
    }
    say_added(self, before);
}

void poller_add_local(poller_t *self)
{
    local_processes_t found = finder_take(self->local->finder);
    take_connected(self);
    for (size_t i = 0; i < found.count; i++)
        connect_to(self, &found.items[i]);
    local_processes_clear(&found);
}

/* ---- those that have ended ---- */

static bool has_ended(const worker_t *worker, const reply_t *reply)
{
    return worker->is_local && local_name_is(worker->name) && reply->error &&
           strcmp(reply->error, REASON_ENDED) == 0;
}

void poller_leave_ended(poller_t *self, snapshot_t *snapshot)
{
    for (size_t i = self->workers.count; i-- > 0;) {
        const worker_t *worker = self->workers.all[i];
        if (!has_ended(worker, &snapshot->replies[i]))
            continue;
        poller_say(self, POLLER_NOTE,
                   memory_format("%s has ended; it is no longer watched", worker->name));
        workers_remove(&self->workers, i);
        snapshot_remove(snapshot, i);
    }
}

/* ---- one process under two names ---- */

static bool is_same_process(const response_t *a, const response_t *b)
{
    return a && b && a->agent_pid != RESPONSE_UNKNOWN && a->agent_pid == b->agent_pid &&
           a->agent_attached && b->agent_attached &&
           strcmp(a->agent_attached, b->agent_attached) == 0;
}

/* Whether what two workers have answered says that they ask the same process; one of them does so
 * by the agent's socket. If both do, it isn't for the processes to say: two containers may each
 * have one of the same number, and anybody may claim to be somebody else. */
static bool asks_same_process(const worker_t *a, const worker_t *b, const response_t *response_a,
                              const response_t *response_b)
{
    if (a->process > 0 && b->process > 0)
        return a->process == b->process;
    return (a->process > 0 || b->process > 0) && is_same_process(response_a, response_b);
}

size_t poller_first_of_process(const poller_t *self, const snapshot_t *snapshot, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (asks_same_process(self->workers.all[k], self->workers.all[i],
                              snapshot->replies[k].response, snapshot->replies[i].response))
            return k;
    return i;
}
