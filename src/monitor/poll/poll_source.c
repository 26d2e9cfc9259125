#include "monitor/poll/poll_source.h"

#include <poll.h>
#include <stdlib.h>

#include "base/memory.h"

typedef struct {
    source_t source; /* comes first */
    poller_t *poller;
    checker_t *checker; /* or NULL */
    int stop_fd;
    bool perf;     /* performance monitoring was started, and perhaps not stopped since */
    bool answered; /* at least one server did, at least once */
} poll_source_t;

static bool is_stopped(const poll_source_t *self)
{
    struct pollfd fd = {.fd = self->stop_fd, .events = POLLIN};
    return poll(&fd, 1, 0) > 0;
}

static bool next(source_t *source, source_item_t *item)
{
    poll_source_t *self = (poll_source_t *)source;
    *item = (source_item_t){.snapshot = poller_poll(self->poller, self->stop_fd)};
    const bool has_answer = snapshot_has_answer(item->snapshot);
    self->answered |= has_answer;
    /* Answers that came before a signal count: their samples exist nowhere else any more. */
    if (!has_answer && is_stopped(self))
        snapshot_destroy(&item->snapshot);
    if (item->snapshot && self->checker)
        checker_look(self->checker, item->snapshot);
    return true;
}

static bool is_in_vain(const source_t *source, bool cut_short)
{
    const poll_source_t *self = (const poll_source_t *)source;
    return !self->answered || (!cut_short && !poller_is_complete(self->poller));
}

static bool stop(source_t *source)
{
    poll_source_t *self = (poll_source_t *)source;
    return !self->perf || poller_stop_perf(self->poller, self->stop_fd);
}

static bool set_perf(source_t *source, bool perf)
{
    poll_source_t *self = (poll_source_t *)source;
    poller_set_perf(self->poller, perf);
    self->perf |= perf;
    if (!perf)
        return poller_stop_perf(self->poller, self->stop_fd);
    poller_start_perf(self->poller, self->stop_fd);
    return true;
}

static void keep_texts(source_t *source, bool keeps)
{
    poller_keep_texts(((poll_source_t *)source)->poller, keeps);
}

static void destroy(source_t **source)
{
    free(*source);
    *source = NULL;
}

source_t *poll_source_new(poller_t *poller, checker_t *checker, bool perf, int64_t period_ns,
                          int stop_fd)
{
    static const source_methods_t methods = {
        .next = next,
        .is_in_vain = is_in_vain,
        .set_perf = set_perf,
        .keep_texts = keep_texts,
        .stop = stop,
        .destroy = destroy,
    };
    poll_source_t *self = memory_new(1, sizeof *self);
    self->source = (source_t){
        .methods = &methods,
        .period_ns = period_ns,
        .unstopped = "stopped at once: performance monitoring may still be on",
    };
    self->poller = poller;
    self->checker = checker;
    self->perf = perf;
    self->stop_fd = stop_fd;
    return &self->source;
}
