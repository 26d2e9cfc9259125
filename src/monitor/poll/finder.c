#include "monitor/poll/finder.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/monotonic.h"
#include "base/vector.h"

/* How long the end waits for a search. */
#define END_NS (NS_PER_SECOND / 5)

typedef struct {
    pid_t pid;
    unsigned long long began;
} known_t;

struct finder {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    double timeout;
    bool wanted; /* a search */
    bool busy;   /* searching */
    bool stopped;
    local_processes_t found;
    vector_t lost; /* of pid_t: to be found again */

    vector_t known; /* of known_t; the thread's own */
};

/* ---- its thread ---- */

static bool is_known(const void *context, pid_t pid, unsigned long long began)
{
    const finder_t *self = context;
    const known_t *known = self->known.items;
    for (size_t i = 0; i < self->known.count; i++)
        if (known[i].pid == pid && known[i].began == began)
            return true;
    return false;
}

/* Those that have ended, so that the list doesn't grow for ever; and those that are to be found
 * again. lost: of pid_t. */
static void forget(finder_t *self, const vector_t *lost)
{
    known_t *known = self->known.items;
    const pid_t *pids = lost->items;
    size_t kept = 0;
    for (size_t i = 0; i < self->known.count; i++) {
        bool keep = agent_socket_began(known[i].pid) == known[i].began;
        for (size_t k = 0; keep && k < lost->count; k++)
            keep = pids[k] != known[i].pid;
        if (keep)
            known[kept++] = known[i];
    }
    self->known.count = kept;
}

/* Those that answer, and count; the others are asked again. */
static local_processes_t search(finder_t *self)
{
    local_processes_t all = local_processes_find(self->timeout, is_known, self);
    size_t kept = 0;
    for (size_t i = 0; i < all.count; i++) {
        local_process_t *process = &all.items[i];
        if (!process->answers || process->is_detached) {
            local_process_clear(process);
            continue;
        }
        *(known_t *)vector_add(&self->known) = (known_t){process->pid, process->began};
        all.items[kept++] = *process;
    }
    all.count = kept;
    return all;
}

static void *run(void *argument)
{
    finder_t *self = argument;
    pthread_mutex_lock(&self->lock);
    while (!self->stopped) {
        if (!self->wanted || self->found.count > 0) {
            pthread_cond_wait(&self->changed, &self->lock);
            continue;
        }
        self->wanted = false;
        self->busy = true;
        vector_t lost = self->lost;
        self->lost = (vector_t){.item_size = sizeof(pid_t)};
        pthread_mutex_unlock(&self->lock);
        forget(self, &lost);
        free(lost.items);
        local_processes_t found = search(self);
        pthread_mutex_lock(&self->lock);
        local_processes_clear(&self->found);
        self->found = found;
        self->busy = false;
        pthread_cond_broadcast(&self->changed);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

/* ---- the poller's side ---- */

finder_t *finder_new(double timeout, char **error)
{
    finder_t *self = memory_new(1, sizeof *self);
    self->timeout = timeout;
    self->known.item_size = sizeof(known_t);
    self->lost.item_size = sizeof(pid_t);
    pthread_mutex_init(&self->lock, NULL);
    monotonic_condition(&self->changed);
    const int why = pthread_create(&self->thread, NULL, run, self);
    *error = why == 0 ? NULL : memory_string(strerror(why));
    if (why == 0)
        return self;
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    free(self);
    return NULL;
}

local_processes_t finder_take(finder_t *self)
{
    pthread_mutex_lock(&self->lock);
    const local_processes_t found = self->found;
    self->found = (local_processes_t){0};
    self->wanted = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
    return found;
}

void finder_find_again(finder_t *self, pid_t pid)
{
    pthread_mutex_lock(&self->lock);
    *(pid_t *)vector_add(&self->lost) = pid;
    pthread_mutex_unlock(&self->lock);
}

bool finder_destroy(finder_t **pointer)
{
    finder_t *self = *pointer;
    *pointer = NULL;
    if (!self)
        return true;
    const struct timespec deadline = monotonic_timespec(monotonic_ns() + END_NS);
    int waited = 0;
    pthread_mutex_lock(&self->lock);
    self->stopped = true;
    pthread_cond_broadcast(&self->changed);
    while (self->busy && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&self->changed, &self->lock, &deadline);
    const bool hangs = self->busy;
    pthread_mutex_unlock(&self->lock);
    if (hangs)
        return false;
    pthread_join(self->thread, NULL);
    local_processes_clear(&self->found);
    free(self->known.items);
    free(self->lost.items);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    free(self);
    return true;
}
