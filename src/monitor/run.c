#include "monitor/run.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/monotonic.h"

/* This many polls in a row have to be in time before a late one is reported again. */
#define IN_TIME_AGAIN 100

struct run {
    signals_t *signals;
    messages_t *messages;
    observation_t *observation;
    source_t *source; /* while it goes on */
    sink_t **sinks;
    size_t sink_count;
    size_t asked;     /* servers in the last poll */
    size_t failed;    /* of them */
    bool lost;        /* something that was asked for */
    bool closed;      /* no sink takes anything any more: stop */
    bool told;        /* to stop, by a signal that was taken meanwhile */
    int64_t told_ns;  /* when it was taken */
    int64_t limit_ns; /* 0: none */
    int in_time;      /* polls since one took longer than the period, which was reported */
};

static void clear_status(void *context)
{
    const run_t *self = context;
    for (size_t i = 0; i < self->sink_count; i++)
        if (self->sinks[i]->methods->clear_status)
            self->sinks[i]->methods->clear_status(self->sinks[i]);
}

run_t *run_new(signals_t *signals, messages_t *messages, const rule_settings_t *settings)
{
    run_t *self = memory_new(1, sizeof *self);
    self->signals = signals;
    self->messages = messages;
    self->observation = observation_new(settings);
    self->in_time = IN_TIME_AGAIN;
    messages_set_before(messages, clear_status, self);
    return self;
}

void run_limit(run_t *self, double seconds)
{
    self->limit_ns = (int64_t)(seconds * (double)NS_PER_SECOND);
}

static void destroy_sinks(run_t *self)
{
    while (self->sink_count > 0) {
        sink_t *sink = self->sinks[--self->sink_count];
        sink->methods->destroy(&sink);
    }
}

void run_destroy(run_t **self)
{
    if (!*self)
        return;
    messages_set_before((*self)->messages, NULL, NULL);
    destroy_sinks(*self);
    observation_destroy(&(*self)->observation);
    free((*self)->sinks);
    free(*self);
    *self = NULL;
}

void run_add(run_t *self, sink_t *sink)
{
    self->sinks = memory_resize(self->sinks, self->sink_count + 1, sizeof *self->sinks);
    self->sinks[self->sink_count++] = sink;
}

bool run_set_perf(run_t *self, bool perf)
{
    const source_methods_t *methods = self->source->methods;
    return !methods->set_perf || methods->set_perf(self->source, perf);
}

void run_keep_texts(run_t *self)
{
    if (self->source->methods->keep_texts)
        self->source->methods->keep_texts(self->source, true);
}

const char *run_recorded_into(const run_t *self)
{
    for (size_t i = 0; i < self->sink_count; i++)
        if (self->sinks[i]->recorded_into)
            return self->sinks[i]->recorded_into;
    return NULL;
}

static bool is_stopped(const run_t *self)
{
    return signals_say_stop(self->signals);
}

/* ---- what becomes of sinks ---- */

/* A sink whose reader has gone ends the run, unless there is another one. */
static void close_sink(run_t *self, sink_t *sink)
{
    if (sink->is_required) {
        self->lost = self->closed = true;
        return;
    }
    const char *when_closed = sink->when_closed;
    size_t kept = 0;
    for (size_t i = 0; i < self->sink_count; i++)
        if (self->sinks[i] != sink)
            self->sinks[kept++] = self->sinks[i];
    self->sink_count = kept;
    sink->methods->destroy(&sink);
    if (self->sink_count == 0)
        self->closed = true;
    else if (when_closed)
        messages_say(self->messages, when_closed);
}

static void take_result(run_t *self, sink_t *sink, sink_result_t result, char *error)
{
    if (error)
        messages_say_and_free(self->messages, error);
    self->lost |= result == SINK_FAILED;
    if (result == SINK_CLOSED)
        close_sink(self, sink);
}

/* The sink after one that may have been closed and taken out meanwhile. */
static size_t behind(const run_t *self, size_t place, const sink_t *sink)
{
    return place < self->sink_count && self->sinks[place] == sink ? place + 1 : place;
}

static bool compares(const run_t *self)
{
    bool any = false;
    for (size_t i = 0; i < self->sink_count; i++)
        any |= self->sinks[i]->compares;
    return any;
}

static void show(run_t *self, snapshot_t **snapshot)
{
    observation_renew(self->observation, snapshot, compares(self));
    for (size_t i = 0; i < self->sink_count;) {
        sink_t *sink = self->sinks[i];
        char *error = NULL;
        const sink_result_t result = sink->methods->show(sink, self->observation, &error);
        take_result(self, sink, result, error);
        i = behind(self, i, sink);
    }
    observation_settle(self->observation);
}

static void show_remark(run_t *self, const char *line, size_t size)
{
    for (size_t i = 0; i < self->sink_count;) {
        sink_t *sink = self->sinks[i];
        char *error = NULL;
        const sink_result_t result =
            sink->methods->remark ? sink->methods->remark(sink, line, size, &error) : SINK_OK;
        take_result(self, sink, result, error);
        i = behind(self, i, sink);
    }
}

/* Makes them show what came of the whole run. */
static void end(run_t *self, bool any)
{
    for (size_t i = 0; i < self->sink_count;) {
        sink_t *sink = self->sinks[i];
        char *error = NULL;
        const sink_result_t result =
            sink->methods->end ? sink->methods->end(sink, any, &error) : SINK_OK;
        if (result != SINK_CLOSED || !any)
            take_result(self, sink, result, error);
        i = behind(self, i, sink);
    }
}

/* Gives the readers of our outputs time to read the rest; nothing else waits for them. */
static void finish(run_t *self)
{
    const bool told = self->told || is_stopped(self);
    for (size_t i = 0; i < self->sink_count;) {
        sink_t *sink = self->sinks[i];
        char *error = NULL;
        const sink_result_t result =
            sink->methods->finish ? sink->methods->finish(sink, told, &error) : SINK_OK;
        take_result(self, sink, result, error);
        i = behind(self, i, sink);
    }
    destroy_sinks(self);
}

static void reopen_when_told(run_t *self)
{
    if (!signals_take_hangup(self->signals))
        return;
    for (size_t i = 0; i < self->sink_count; i++) {
        char *error = NULL;
        if (self->sinks[i]->methods->reopen)
            self->sinks[i]->methods->reopen(self->sinks[i], &error);
        if (error)
            messages_say_and_free(self->messages, error);
    }
}

/* ---- between polls ---- */

static bool has_status(const run_t *self)
{
    bool any = false;
    for (size_t i = 0; i < self->sink_count; i++)
        any |= self->sinks[i]->has_status;
    return any;
}

/* Shows the status on a terminal; left_ns: to the next poll, or -1: it is now. */
static void show_status(const run_t *self, int64_t left_ns)
{
    sink_status_t status = {
        .is_asking = left_ns < 0,
        .seconds = (double)left_ns / (double)NS_PER_SECOND,
        .asked = self->asked,
        .failed = self->failed,
        .recorded_into = run_recorded_into(self),
    };
    for (size_t i = 0; i < self->sink_count; i++)
        if (self->sinks[i]->has_status)
            self->sinks[i]->methods->show_status(self->sinks[i], &status);
}

enum { FD_STOP, FD_HANGUP, FD_SINKS };

/* Waits for signals and input, for at most ns; false as soon as a signal says to stop. */
static bool wait_for(run_t *self, int64_t ns)
{
    const size_t count = self->sink_count;
    struct pollfd *fds = memory_new(FD_SINKS + count, sizeof *fds);
    fds[FD_STOP] = (struct pollfd){.fd = self->signals->stop_fd, .events = POLLIN};
    fds[FD_HANGUP] = (struct pollfd){.fd = self->signals->hangup_fd, .events = POLLIN};
    for (size_t i = 0; i < count; i++) {
        sink_t *sink = self->sinks[i];
        fds[FD_SINKS + i].fd = sink->methods->fd ? sink->methods->fd(sink) : -1;
        fds[FD_SINKS + i].events = POLLIN;
    }
    const struct timespec wait = monotonic_timespec(ns);
    const bool any = ppoll(fds, FD_SINKS + count, &wait, NULL) > 0;
    const bool stopped = any && fds[FD_STOP].revents;
    if (any && !stopped && fds[FD_HANGUP].revents)
        reopen_when_told(self);
    /* Those that are added meanwhile weren't waited for. */
    for (size_t i = 0, place = 0; any && !stopped && i < count; i++) {
        sink_t *sink = self->sinks[place];
        char *error = NULL;
        const sink_result_t result =
            fds[FD_SINKS + i].revents ? sink->methods->ready(sink, &error) : SINK_OK;
        take_result(self, sink, result, error);
        place = behind(self, place, sink);
    }
    free(fds);
    return !stopped;
}

/* Waits until a moment of the monotonic clock. Returns false if the run is to end. */
static bool wait_until(run_t *self, int64_t moment_ns)
{
    for (;;) {
        int64_t left = moment_ns - monotonic_ns();
        if (left <= 0)
            return !is_stopped(self);
        if (has_status(self)) {
            show_status(self, left);
            left = left < NS_PER_SECOND ? left : NS_PER_SECOND;
        }
        if (!wait_for(self, left) || self->closed)
            return false;
    }
}

/*
 * The next moment of the schedule: polls stay on multiples of the period after the first one,
 * however long one took; missed ones are skipped.
 */
static int64_t next_moment_ns(int64_t first_ns, int64_t period_ns)
{
    const int64_t passed = (monotonic_ns() - first_ns) / period_ns;
    return first_ns + (passed + 1) * period_ns;
}

/* Reports that polls take longer than the period, once until it is over. */
static void say_when_late(run_t *self, int64_t begun_ns, int64_t period_ns)
{
    const int64_t late_ns = monotonic_ns() - begun_ns - period_ns;
    if (late_ns <= 0) {
        self->in_time++;
        return;
    }
    if (self->in_time >= IN_TIME_AGAIN)
        messages_say_and_free(
            self->messages,
            memory_format("a poll took %.3g s longer than the period: polls keep to the schedule, "
                          "and those that are late are skipped",
                          (double)late_ns / (double)NS_PER_SECOND));
    self->in_time = 0;
}

/* ---- the loop ---- */

static void count_failures(run_t *self, const snapshot_t *snapshot)
{
    self->asked = snapshot->reply_count;
    self->failed = 0;
    for (size_t i = 0; i < snapshot->reply_count; i++)
        self->failed += !snapshot->replies[i].response;
}

/* Goes on by one item. Returns whether there is more; *snapshots counts. */
static bool go_on(run_t *self, int64_t *snapshots)
{
    const bool is_live = self->source->period_ns > 0;
    source_item_t item;
    if (is_live && self->asked > 0)
        show_status(self, -1);
    const bool more = self->source->methods->next(self->source, &item);
    if (item.note)
        messages_say(self->messages, item.note);
    self->lost |= item.damaged;
    if (item.remark)
        show_remark(self, item.remark, item.remark_size);
    if (item.snapshot) {
        (*snapshots)++;
        count_failures(self, item.snapshot);
        if (is_live)
            reopen_when_told(self);
        show(self, &item.snapshot);
    }
    source_item_clear(&item);
    return more;
}

/* As fast as there are snapshots. */
static void run_through(run_t *self, int64_t count)
{
    int64_t snapshots = 0;
    bool more = true;
    while (more && !self->closed && !is_stopped(self) && (count == 0 || snapshots < count))
        more = go_on(self, &snapshots);
}

/* By the source's schedule. */
static void run_by_schedule(run_t *self, int64_t count)
{
    const int64_t period_ns = self->source->period_ns;
    const int64_t first_ns = monotonic_ns();
    int64_t snapshots = 0;
    while (!is_stopped(self)) {
        const int64_t begun_ns = monotonic_ns();
        const bool more = go_on(self, &snapshots);
        if (!more || self->closed || is_stopped(self))
            return;
        if (count != 1)
            say_when_late(self, begun_ns, period_ns);
        if (count > 0 && snapshots == count)
            return;
        const int64_t next_ns = next_moment_ns(first_ns, period_ns);
        const bool is_over = self->limit_ns > 0 && next_ns - first_ns > self->limit_ns;
        if ((is_over && snapshots > 1) || !wait_until(self, next_ns))
            return;
    }
}

/* ---- the end ---- */

/*
 * A signal so soon after the signal to stop is the same one again: timeout(1) sends it twice, and a
 * program that started us may pass on what the terminal has already sent us.
 */
#define SAME_SIGNAL_NS (NS_PER_SECOND / 4)

/*
 * Takes the pending signals. Returns one that is the user's second, or 0. SIGHUP isn't: when a
 * terminal goes away, both the kernel and the shell send it, and nobody is there to lose patience.
 */
static int take_signals(run_t *self)
{
    int second = 0;
    for (int number = 0; (number = signals_take_stop(self->signals)) != 0;) {
        if (!self->told)
            self->told_ns = monotonic_ns();
        else if (number != SIGHUP && monotonic_ns() - self->told_ns > SAME_SIGNAL_NS)
            second = number;
        self->told = true;
    }
    return second;
}

static void abandon_sinks(run_t *self)
{
    for (size_t i = 0; i < self->sink_count; i++)
        if (self->sinks[i]->methods->abandon)
            self->sinks[i]->methods->abandon(self->sinks[i]);
}

/* Makes the source stop what it started. A second signal ends the program here. */
static void stop(run_t *self)
{
    if (!self->source->methods->stop)
        return;
    (void)take_signals(self); /* the first, and what came before anything was stopped */
    for (;;) {
        const bool stopped = self->source->methods->stop(self->source);
        if (stopped || !is_stopped(self)) {
            self->lost |= !stopped;
            return;
        }
        const int second = take_signals(self);
        if (second) {
            abandon_sinks(self);
            messages_set_instead(self->messages, NULL, NULL);
            messages_say(self->messages, self->source->unstopped);
            messages_destroy(&self->messages);
            signals_die_of(second);
        }
    }
}

bool run_go(run_t *self, source_t **source, int64_t count)
{
    self->source = *source;
    *source = NULL;
    if (self->source->period_ns > 0)
        run_by_schedule(self, count);
    else
        run_through(self, count);
    end(self, true);
    const bool in_vain = !is_stopped(self) && self->source->methods->is_in_vain &&
                         self->source->methods->is_in_vain(self->source, self->closed);
    stop(self);
    finish(self);
    self->source->methods->destroy(&self->source);
    return !self->lost && !in_vain;
}

bool run_end_at_once(run_t *self)
{
    end(self, false);
    finish(self);
    return !self->lost;
}
