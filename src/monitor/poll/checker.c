#include "monitor/poll/checker.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/monotonic.h"
#include "monitor/poll/check_candidates.h"
#include "monitor/poll/check_device.h"
#include "monitor/poll/check_endpoint.h"

/* How each kind is checked. A kind has a thread of its own, so that none waits for another. */
typedef struct {
    size_t at_once; /* so many are given to make() at most, once a second at most */
    void (*make)(check_t *checks, size_t count, int stop_fd);
} maker_t;

static const maker_t makers[CHECK_KINDS] = {
    [CHECK_ENDPOINT] = {.at_once = 16, .make = check_endpoints},
    [CHECK_DEVICE] = {.at_once = 4, .make = check_devices},
    [CHECK_ATTRIBUTE] = {.at_once = 4, .make = check_attributes},
};

/* A subject, and the newest result of its check. */
typedef struct {
    check_t check;
    bool wanted; /* by the last snapshot */
    bool busy;   /* its check is under way */
    bool made;   /* check has a result */
    int64_t due_ns;
} item_t;

/* The checks of one kind, and their thread. */
typedef struct {
    checker_t *checker;
    check_kind_t kind;
    pthread_t thread;
    bool has_thread;
    bool busy; /* its thread is in make() */
    item_t items[CHECKER_MAXIMUM];
    size_t count;
    size_t wanted; /* of them */
} lane_t;

struct checker {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int stop_fd; /* an eventfd */
    bool stopped;
    lane_t lanes[CHECK_KINDS];
};

/* How long the end waits for a thread that is in a call. */
#define END_NS (NS_PER_SECOND / 5)

/* ---- the threads; with the lock, except in make() ---- */

static void wait_until(checker_t *self, int64_t moment_ns)
{
    const struct timespec moment = monotonic_timespec(moment_ns);
    pthread_cond_timedwait(&self->changed, &self->lock, &moment);
}

/* When the next check is due; INT64_MAX: there is none. */
static int64_t next_due_ns(const lane_t *self)
{
    int64_t due_ns = INT64_MAX;
    for (size_t i = 0; i < self->count; i++)
        if (self->items[i].wanted && self->items[i].due_ns < due_ns)
            due_ns = self->items[i].due_ns;
    return due_ns;
}

/* Those that are due, as copies. */
static size_t take_due(lane_t *self, check_t *batch)
{
    const int64_t now_ns = monotonic_ns();
    size_t count = 0;
    for (size_t i = 0; i < self->count && count < makers[self->kind].at_once; i++) {
        item_t *item = &self->items[i];
        if (!item->wanted || item->due_ns > now_ns)
            continue;
        item->busy = true;
        check_t *check = &batch[count++];
        *check = (check_t){.kind = self->kind, .subject = memory_string(item->check.subject)};
        clock_gettime(CLOCK_REALTIME, &check->time);
    }
    return count;
}

static item_t *find(lane_t *self, const char *subject)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->items[i].check.subject, subject) == 0)
            return &self->items[i];
    return NULL;
}

/* Items that are busy stay where they are found, so each result has its item. */
static void take_results(lane_t *self, check_t *batch, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        item_t *item = find(self, batch[i].subject);
        check_clear(&item->check);
        item->check = batch[i];
        item->busy = false;
        item->made = true;
        item->due_ns = monotonic_ns() + CHECKER_AGAIN_SECONDS * NS_PER_SECOND;
    }
}

static void *run(void *argument)
{
    lane_t *self = argument;
    checker_t *checker = self->checker;
    const maker_t *maker = &makers[self->kind];
    check_t *batch = memory_new(maker->at_once, sizeof *batch);
    int64_t earliest_ns = 0;
    pthread_mutex_lock(&checker->lock);
    while (!checker->stopped) {
        int64_t due_ns = next_due_ns(self);
        if (due_ns < earliest_ns)
            due_ns = earliest_ns;
        if (due_ns == INT64_MAX) {
            pthread_cond_wait(&checker->changed, &checker->lock);
        } else if (due_ns > monotonic_ns()) {
            wait_until(checker, due_ns);
        } else {
            earliest_ns = monotonic_ns() + NS_PER_SECOND;
            const size_t count = take_due(self, batch);
            self->busy = true;
            pthread_mutex_unlock(&checker->lock);
            maker->make(batch, count, checker->stop_fd);
            pthread_mutex_lock(&checker->lock);
            take_results(self, batch, count);
            self->busy = false;
            pthread_cond_broadcast(&checker->changed);
        }
    }
    pthread_mutex_unlock(&checker->lock);
    free(batch);
    return NULL;
}

/* ---- the poller's side ---- */

static void start(lane_t *self, char **error)
{
    const int number = pthread_create(&self->thread, NULL, run, self);
    self->has_thread = number == 0;
    if (number != 0)
        *error = memory_format("can't start a thread for checks: %s", strerror(number));
}

checker_t *checker_new(char **error)
{
    *error = NULL;
    const int stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (stop_fd < 0) {
        *error = memory_format("can't start checks: %s", strerror(errno));
        return NULL;
    }
    checker_t *self = memory_new(1, sizeof *self);
    self->stop_fd = stop_fd;
    pthread_mutex_init(&self->lock, NULL);
    monotonic_condition(&self->changed);
    for (size_t kind = 0; kind < CHECK_KINDS; kind++) {
        self->lanes[kind].checker = self;
        self->lanes[kind].kind = (check_kind_t)kind;
        if (!*error)
            start(&self->lanes[kind], error);
    }
    if (*error)
        checker_destroy(&self);
    return self;
}

static bool want(void *context, check_kind_t kind, const char *subject, double seconds)
{
    lane_t *lane = &((checker_t *)context)->lanes[kind];
    if (!lane->has_thread)
        return false;
    item_t *item = find(lane, subject);
    if (!item && lane->count < CHECKER_MAXIMUM) {
        item = &lane->items[lane->count++];
        *item = (item_t){
            .check = {.kind = kind, .subject = memory_string(subject)},
            .due_ns = monotonic_ns() + (int64_t)(seconds * (double)NS_PER_SECOND),
        };
    }
    if (item && !item->wanted) {
        item->wanted = true;
        lane->wanted++;
    }
    return lane->wanted < CHECKER_MAXIMUM;
}

static void forget_unwanted(lane_t *self)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++)
        if (self->items[i].wanted || self->items[i].busy)
            self->items[kept++] = self->items[i];
        else
            check_clear(&self->items[i].check);
    self->count = kept;
}

void checker_look(checker_t *self, snapshot_t *snapshot)
{
    pthread_mutex_lock(&self->lock);
    for (size_t kind = 0; kind < CHECK_KINDS; kind++) {
        self->lanes[kind].wanted = 0;
        for (size_t i = 0; i < self->lanes[kind].count; i++)
            self->lanes[kind].items[i].wanted = false;
    }
    check_candidates_find(snapshot, want, self);
    for (size_t kind = 0; kind < CHECK_KINDS; kind++) {
        lane_t *lane = &self->lanes[kind];
        forget_unwanted(lane);
        for (size_t i = 0; i < lane->count; i++)
            if (lane->items[i].wanted && lane->items[i].made)
                checks_add(&snapshot->checks, &lane->items[i].check);
    }
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
    checks_sort(&snapshot->checks);
}

static bool is_busy(const checker_t *self)
{
    bool busy = false;
    for (size_t kind = 0; kind < CHECK_KINDS; kind++)
        busy |= self->lanes[kind].busy;
    return busy;
}

bool checker_destroy(checker_t **pointer)
{
    checker_t *self = *pointer;
    *pointer = NULL;
    if (!self)
        return true;
    (void)eventfd_write(self->stop_fd, 1);
    pthread_mutex_lock(&self->lock);
    self->stopped = true;
    pthread_cond_broadcast(&self->changed);
    const int64_t deadline_ns = monotonic_ns() + END_NS;
    while (is_busy(self) && monotonic_ns() < deadline_ns)
        wait_until(self, deadline_ns);
    const bool hangs = is_busy(self);
    pthread_mutex_unlock(&self->lock);
    if (hangs)
        return false;
    for (size_t kind = 0; kind < CHECK_KINDS; kind++) {
        lane_t *lane = &self->lanes[kind];
        if (lane->has_thread)
            pthread_join(lane->thread, NULL);
        for (size_t i = 0; i < lane->count; i++)
            check_clear(&lane->items[i].check);
    }
    close(self->stop_fd);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    free(self);
    return true;
}
