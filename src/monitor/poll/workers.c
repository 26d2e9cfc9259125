#include "monitor/poll/workers.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/monotonic.h"
#include "process/agent_socket.h"

/* How long the end waits for workers that are about to finish. */
#define END_SECONDS 0.2

bool workers_init(workers_t *self, const target_t *targets, size_t count, double timeout,
                  char **error)
{
    const int done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (done_fd < 0) {
        *error = memory_string(strerror(errno));
        return false;
    }
    self->shared.done_fd = done_fd;
    self->shared.keeps_texts = true;
    self->shared.timeout = timeout;
    pthread_mutex_init(&self->shared.lock, NULL);
    permits_init(&self->shared.connecting);
    self->count = count;
    self->all = memory_new(count, sizeof(worker_t *));
    for (size_t i = 0; i < count; i++)
        self->all[i] = worker_new(&self->shared, &targets[i]);
    return true;
}

static bool any_awaited(workers_t *self)
{
    bool awaited = false;
    pthread_mutex_lock(&self->shared.lock);
    for (size_t i = 0; i < self->count && !awaited; i++)
        awaited = self->all[i]->awaited;
    pthread_mutex_unlock(&self->shared.lock);
    return awaited;
}

static bool any_connecting(workers_t *self)
{
    bool connecting = false;
    pthread_mutex_lock(&self->shared.lock);
    for (size_t i = 0; i < self->connecting_count && !connecting; i++)
        connecting = self->connecting[i]->awaited;
    pthread_mutex_unlock(&self->shared.lock);
    return connecting;
}

static bool any_busy(workers_t *self)
{
    bool busy = false;
    pthread_mutex_lock(&self->shared.lock);
    for (size_t i = 0; i < self->count && !busy; i++)
        busy = self->all[i]->task != TASK_NONE;
    for (size_t i = 0; i < self->connecting_count && !busy; i++)
        busy = self->connecting[i]->task != TASK_NONE;
    pthread_mutex_unlock(&self->shared.lock);
    return busy;
}

/*
 * Waits until a condition that workers change is no longer true, for at most that many seconds.
 * Returns false if stop_fd interrupted it.
 */
static bool wait_while(workers_t *self, bool (*condition)(workers_t *), double seconds, int stop_fd)
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
            continue; /* somebody read it before: nothing is lost, the loop checks by itself */
    }
    return true;
}

bool workers_await(workers_t *self, double seconds, int stop_fd)
{
    const bool waited = wait_while(self, any_awaited, seconds, stop_fd);
    pthread_mutex_lock(&self->shared.lock);
    for (size_t i = 0; i < self->count; i++)
        self->all[i]->awaited = false;
    pthread_mutex_unlock(&self->shared.lock);
    return waited;
}

bool workers_connect(workers_t *self, const target_t *target, char **error)
{
    worker_t *worker = worker_new(&self->shared, target);
    if (!worker_start(worker, error)) {
        worker_destroy(&worker);
        return false;
    }
    self->connecting =
        memory_resize(self->connecting, self->connecting_count + 1, sizeof(worker_t *));
    self->connecting[self->connecting_count++] = worker;
    (void)worker_ask(worker, TASK_CONNECT);
    return true;
}

bool workers_await_connecting(workers_t *self, double seconds, int stop_fd)
{
    const bool waited = wait_while(self, any_connecting, seconds, stop_fd);
    pthread_mutex_lock(&self->shared.lock);
    for (size_t i = 0; i < self->connecting_count; i++)
        self->connecting[i]->awaited = false;
    pthread_mutex_unlock(&self->shared.lock);
    return waited;
}

static void take_out_connecting(workers_t *self, size_t i)
{
    self->connecting_count--;
    for (size_t k = i; k < self->connecting_count; k++)
        self->connecting[k] = self->connecting[k + 1];
}

void workers_add_connecting(workers_t *self, size_t i)
{
    self->all = memory_resize(self->all, self->count + 1, sizeof(worker_t *));
    self->all[self->count++] = self->connecting[i];
    take_out_connecting(self, i);
}

void workers_end_connecting(workers_t *self, size_t i)
{
    worker_destroy(&self->connecting[i]);
    take_out_connecting(self, i);
}

size_t workers_first_of_server(const workers_t *self, size_t i)
{
    for (size_t k = 0; k < i && self->all[i]->found; k++)
        if (self->all[k]->found &&
            strcmp(self->all[k]->admin.identity, self->all[i]->admin.identity) == 0)
            return k;
    return i;
}

bool workers_of_two_users(const worker_t *a, const worker_t *b)
{
    return a->process > 0 && b->process > 0 && a->process != b->process &&
           agent_socket_user(a->process) != agent_socket_user(b->process);
}

const worker_t *workers_tell_apart(workers_t *self, size_t i)
{
    worker_t *worker = self->all[i];
    const size_t first = workers_first_of_server(self, i);
    const worker_t *other = self->all[first];
    if (first == i || !workers_of_two_users(worker, other))
        return NULL;
    free(worker->name);
    free(worker->admin.identity);
    worker->name = memory_format("pid:%ld", (long)worker->process);
    worker->admin.identity = memory_format("process %ld", (long)worker->process);
    return other;
}

void workers_remove(workers_t *self, size_t i)
{
    worker_destroy(&self->all[i]);
    self->count--;
    for (size_t k = i; k < self->count; k++)
        self->all[k] = self->all[k + 1];
}

char *workers_names(const workers_t *self, bool (*condition)(const worker_t *), size_t limit,
                    size_t *count)
{
    char *names = memory_string("");
    *count = 0;
    for (size_t i = 0; i < self->count; i++) {
        const worker_t *worker = self->all[i];
        if (!condition(worker) || (*count)++ >= limit)
            continue;
        char *longer = memory_format("%s%s%s", names, *names ? ", " : "", worker->name);
        free(names);
        names = longer;
    }
    return names;
}

bool workers_clear(workers_t *self)
{
    pthread_mutex_lock(&self->shared.lock);
    for (size_t i = 0; i < self->count; i++)
        self->all[i]->quit = true;
    for (size_t i = 0; i < self->connecting_count; i++)
        self->connecting[i]->quit = true;
    pthread_mutex_unlock(&self->shared.lock);
    wait_while(self, any_busy, END_SECONDS, -1);
    if (any_busy(self))
        return false;
    for (size_t i = 0; i < self->count; i++)
        worker_destroy(&self->all[i]);
    for (size_t i = 0; i < self->connecting_count; i++)
        worker_destroy(&self->connecting[i]);
    close(self->shared.done_fd);
    permits_clear(&self->shared.connecting);
    pthread_mutex_destroy(&self->shared.lock);
    free(self->all);
    free(self->connecting);
    *self = (workers_t){0};
    return true;
}
