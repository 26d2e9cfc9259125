#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/memory.h"
#include "monitor/poll/poller_parts.h"

/* How many skipped servers are named in one line. */
enum { PASSED_OVER_NAMES = 3 };

/* firsts: workers_first_of_server() of each worker. */
static void say_shared_server(poller_t *self, const size_t *firsts, size_t first)
{
    char *names = memory_string(self->workers.all[first]->given);
    bool shared = false;
    for (size_t i = first + 1; i < self->workers.count; i++) {
        if (firsts[i] != first)
            continue;
        char *longer = memory_format("%s, %s", names, self->workers.all[i]->given);
        free(names);
        names = longer;
        shared = true;
    }
    if (shared)
        poller_say(self, POLLER_NOTE,
                   memory_format("%s: the server of %s; it is polled once",
                                 self->workers.all[first]->name, names));
    free(names);
}

void poller_tell_apart(poller_t *self, size_t i)
{
    const worker_t *other = workers_tell_apart(&self->workers, i);
    if (other)
        poller_say(self, POLLER_WARNING,
                   memory_format("process %ld says that it is %s, and so does process %ld, of "
                                 "another user; it is watched as %s",
                                 (long)self->workers.all[i]->process, other->name,
                                 (long)other->process, self->workers.all[i]->name));
}

/* Keeps one worker per server, and only those that can be polled. */
static void merge_servers(poller_t *self)
{
    size_t *firsts = memory_new(self->workers.count, sizeof *firsts);
    for (size_t i = 0; i < self->workers.count; i++)
        firsts[i] = workers_first_of_server(&self->workers, i);
    for (size_t i = 0; i < self->workers.count; i++)
        if (firsts[i] == i && !self->workers.all[i]->passed_over)
            say_shared_server(self, firsts, i);
    size_t kept = 0;
    for (size_t i = 0; i < self->workers.count; i++)
        if (firsts[i] == i && !self->workers.all[i]->passed_over)
            self->workers.all[kept++] = self->workers.all[i];
        else
            worker_destroy(&self->workers.all[i]);
    self->workers.count = kept;
    free(firsts);
}

static bool is_passed_over(const worker_t *worker)
{
    return worker->passed_over;
}

/* One line for all servers without a command to ask. */
static void say_passed_over(poller_t *self)
{
    size_t count = 0;
    char *names = workers_names(&self->workers, is_passed_over, PASSED_OVER_NAMES, &count);
    if (count > 0)
        poller_say(
            self, POLLER_NOTE,
            memory_format("%zu of %zu servers skipped, since they have no command to ask: %s%s",
                          count, self->workers.count, names,
                          count > PASSED_OVER_NAMES ? ", ... (--list shows them all)" : ""));
    free(names);
}

bool poller_settle(poller_t *self)
{
    say_passed_over(self);
    merge_servers(self);
    if (self->workers.count == 0)
        poller_say(self, POLLER_WARNING,
                   self->shard.count > 0
                       ? memory_format("no server is in shard %" PRIu64 "/%" PRIu64,
                                       self->shard.number, self->shard.count)
                       : memory_string("nothing is left to watch"));
    return self->workers.count > 0;
}

/* Decides whether a server that is known by now is in our shard. Nothing was switched on in it
 * before. */
static void place(const poller_t *self, worker_t *worker, bool late)
{
    worker->elsewhere = !shard_has(&self->shard, worker->admin.name);
    worker->placed = true;
    if (late && !worker->elsewhere && self->perf)
        worker_want_perf(worker);
}

void poller_leave_others(poller_t *self, snapshot_t *snapshot)
{
    for (size_t i = self->shard.count > 0 ? self->workers.count : 0; i-- > 0;) {
        worker_t *worker = self->workers.all[i];
        if (worker->found && !worker->placed)
            place(self, worker, snapshot);
        if (!worker->elsewhere)
            continue;
        if (snapshot)
            snapshot_remove(snapshot, i);
        if (worker->found)
            workers_remove(&self->workers, i);
    }
}

/*
 * Removes a worker whose server another one asks; that one takes over what is to be switched off.
 */
static void end_double(poller_t *self, size_t i, size_t first)
{
    pthread_mutex_lock(&self->workers.shared.lock);
    self->workers.all[first]->perf_ours |= self->workers.all[i]->perf_ours;
    pthread_mutex_unlock(&self->workers.shared.lock);
    poller_say(self, POLLER_NOTE,
               memory_format("%s: the server of %s; it is polled once", self->workers.all[i]->name,
                             self->workers.all[first]->name));
    workers_remove(&self->workers, i);
}

void poller_merge_late_answers(poller_t *self, snapshot_t *snapshot)
{
    bool learnt = false;
    for (size_t i = 0; i < self->workers.count; i++) {
        worker_t *worker = self->workers.all[i];
        worker->wrong &= !snapshot->replies[i].response;
        if (worker->found || !snapshot->replies[i].response || !worker->admin.name)
            continue;
        worker->found = true;
        poller_tell_apart(self, i);
        learnt = true;
    }
    /* Not at every poll: each server is compared with every other one. */
    for (size_t i = learnt ? self->workers.count : 0; i-- > 0;) {
        const size_t first = workers_first_of_server(&self->workers, i);
        if (first == i)
            continue;
        end_double(self, i, first);
        snapshot_remove(snapshot, i);
    }
    for (size_t i = self->workers.count; i-- > 0;) {
        const size_t first = poller_first_of_process(self, snapshot, i);
        if (first == i)
            continue;
        end_double(self, i, first);
        snapshot_remove(snapshot, i);
    }
}
