#include "agent/counts/topic.h"

#include "agent/counts/seqlock.h"
#include "agent/platform/clocks.h"

void topic_subscribe(topic_t *self)
{
    atomic_store_explicit(&self->subscribed, true, memory_order_release);
}

/* A new subscription starts all counts from zero, like cppTango's own. */
static void topic_reset(topic_t *self)
{
    self->has_counter = false;
    self->discarded_before = false;
    self->connected_anew = false;
    self->restart_expected = false;
    atomic_store_explicit(&self->no_server_counter, false, memory_order_release);
    atomic_store_explicit(&self->unbased, false, memory_order_release);
    atomic_store_explicit(&self->counter, 0, memory_order_release);
    for (size_t i = 0; i < TOPIC_COUNTS; i++)
        count_set(&self->counts[i], 0);
    time_set(&self->last_event_ns, CLOCK_NEVER);
    time_set(&self->last_error_event_ns, CLOCK_NEVER);
    time_set(&self->last_resubscribed_ns, CLOCK_NEVER);
    topic_times_t *times = atomic_load_explicit(&self->times, memory_order_relaxed);
    if (times) {
        histogram_reset(&times->latency);
        histogram_reset(&times->processing);
    }
    uint64_t subscription = atomic_load(&self->callbacks) >> 32;
    atomic_store(&self->callbacks, (subscription + 1) << 32);
    atomic_store_explicit(&self->callbacks_known, true, memory_order_release);
}

void topic_callbacks_unknown(topic_t *self)
{
    atomic_store_explicit(&self->callbacks_known, false, memory_order_release);
}

static void topic_begin_anew(topic_t *self)
{
    atomic_store_explicit(&self->forgotten, false, memory_order_release);
    topic_reset(self);
    topic_callbacks_unknown(self);
    atomic_store_explicit(&self->port, 0, memory_order_relaxed);
    atomic_store_explicit(&self->channel, NULL, memory_order_release);
}

void topic_adopt(topic_t *self)
{
    seqlock_write_begin(&self->sequence);
    topic_begin_anew(self);
    topic_subscribe(self);
    seqlock_write_end(&self->sequence);
}

void topic_forget(topic_t *self)
{
    atomic_store_explicit(&self->forgotten, true, memory_order_release);
    atomic_store_explicit(&self->subscribed, false, memory_order_release);
}

bool topic_is_forgotten(topic_t *self)
{
    return atomic_load_explicit(&self->forgotten, memory_order_acquire);
}

void topic_connect(topic_t *self, bool again, uint32_t port, channel_t *channel, int64_t now_ns)
{
    if (topic_is_forgotten(self)) {
        seqlock_write_begin(&self->sequence);
        topic_begin_anew(self);
        seqlock_write_end(&self->sequence);
    }
    uint32_t last_port = atomic_load_explicit(&self->port, memory_order_relaxed);
    seqlock_write_begin(&self->sequence);
    if (again) {
        time_set(&self->last_resubscribed_ns, now_ns);
        self->connected_anew = true;
        /* The same server on another port is another process, and its counters begin again. */
        if (last_port != 0 && port != 0 && port != last_port)
            self->restart_expected = true;
        /* No event was there to show what was pushed before. (A new process's counter will.) */
        else if (!self->has_counter && !self->restart_expected)
            atomic_store_explicit(&self->unbased, true, memory_order_release);
    } else {
        topic_reset(self);
    }
    atomic_store_explicit(&self->port, port, memory_order_relaxed);
    if (channel)
        atomic_store_explicit(&self->channel, channel, memory_order_release);
    topic_subscribe(self);
    seqlock_write_end(&self->sequence);
}

/*
 * The publisher's counter started again at 1: what it pushed before this event never arrived.
 */
static uint64_t lost_since_restart(uint32_t counter)
{
    return counter > 0 ? counter - 1 : 0;
}

/* What one event's counter shows, compared with the previous one. */
typedef struct {
    bool duplicate;
    bool missed; /* cppTango will report API_MissedEvents to its callbacks */
    bool restarted;
    uint64_t lost;
} judgement_t;

/*
 * cppTango takes a counter of 0 for "none yet", so it compares nothing with it, or, from some
 * version on, only another 0. For us it is like any other, once there were others: the counter has
 * wrapped.
 */
static judgement_t judge(const topic_t *self, const topic_event_t *event)
{
    judgement_t judgement = {0};
    uint32_t counter = event->counter;
    uint32_t last = atomic_load_explicit(&self->counter, memory_order_relaxed);
    uint32_t step = counter - last; /* modulo 2^32: correct across the wrap */
    bool backwards = step > INT32_MAX;
    bool compared_by_tango = last != 0 || counter == 1 || (counter == 0 && event->compares_zeros);
    /* The copy that the publisher sends for every new subscriber. cppTango delivers a third one, so
     * it is counted as received, too. */
    judgement.duplicate = compared_by_tango && step == 0 && !self->discarded_before;
    if (judgement.duplicate || (!self->has_counter && !self->restart_expected))
        return judgement;

    bool no_server_counter = atomic_load_explicit(&self->no_server_counter, memory_order_relaxed);
    judgement.missed = compared_by_tango && step >= 2 && !backwards;
    if (self->restart_expected || (backwards && !no_server_counter)) {
        judgement.restarted = true;
        judgement.lost = lost_since_restart(counter);
    } else if (!no_server_counter && step > 0) {
        judgement.lost = step - 1;
    }
    return judgement;
}

topic_result_t topic_received(topic_t *self, const topic_event_t *event)
{
    if (!atomic_load_explicit(&self->subscribed, memory_order_relaxed))
        return TOPIC_IGNORED;

    judgement_t judgement = judge(self, event);
    self->discarded_before = judgement.duplicate;
    seqlock_write_begin(&self->sequence);
    if (judgement.duplicate) {
        count_add(&self->counts[TOPIC_DISCARDED_COUNT], 1);
        seqlock_write_end(&self->sequence);
        return TOPIC_DISCARDED;
    }

    count_add(&self->counts[TOPIC_MISSED_COUNT], judgement.missed ? 1 : 0);
    count_add(&self->counts[TOPIC_RESTART_COUNT], judgement.restarted ? 1 : 0);
    count_add(&self->counts[TOPIC_LOST_COUNT], judgement.lost);
    /*
     * ZeroMQ is configured not to reconnect by itself, so every outage ends with Tango's command.
     */
    if (self->connected_anew || judgement.restarted)
        count_add(&self->counts[TOPIC_OUTAGE_LOST_COUNT], judgement.lost);
    if (event->counter != 0) {
        /* What was lost while there was no counter isn't known. */
        if (atomic_load_explicit(&self->no_server_counter, memory_order_relaxed))
            atomic_store_explicit(&self->unbased, true, memory_order_release);
        atomic_store_explicit(&self->no_server_counter, false, memory_order_release);
    } else if (!self->has_counter || judgement.restarted) {
        atomic_store_explicit(&self->no_server_counter, true, memory_order_release);
    }
    /* The stream's very first event: nothing came before it. */
    if (!self->has_counter && event->counter == 1 && !judgement.restarted)
        atomic_store_explicit(&self->unbased, false, memory_order_release);
    self->has_counter = true;
    self->connected_anew = false;
    self->restart_expected = false;
    atomic_store_explicit(&self->counter, event->counter, memory_order_release);
    count_add(&self->counts[TOPIC_EVENT_COUNT], 1);
    count_add(&self->counts[TOPIC_BYTE_COUNT], event->bytes);
    time_set(&self->last_event_ns, event->time_ns);
    if (event->is_error) {
        count_add(&self->counts[TOPIC_ERROR_COUNT], 1);
        time_set(&self->last_error_event_ns, event->time_ns);
    }
    seqlock_write_end(&self->sequence);
    return TOPIC_RECEIVED;
}

void topic_event_took(topic_t *self, bool latency_known, int64_t latency_ns, int64_t processing_ns)
{
    topic_times_t *times = atomic_load_explicit(&self->times, memory_order_relaxed);
    if (!times) {
        times = (topic_times_t *)histogram_new(sizeof *times / sizeof(histogram_t));
        if (!times)
            return;
        atomic_store_explicit(&self->times, times, memory_order_release);
    }
    if (latency_known)
        histogram_add(&times->latency, latency_ns);
    histogram_add(&times->processing, processing_ns);
}

uint32_t topic_callback_added(topic_t *self)
{
    return (uint32_t)(atomic_fetch_add(&self->callbacks, 1) >> 32);
}

void topic_callback_removed(topic_t *self, uint32_t subscription)
{
    uint64_t now = atomic_load(&self->callbacks);
    while (now >> 32 == subscription && (uint32_t)now > 0)
        if (atomic_compare_exchange_weak(&self->callbacks, &now, now - 1))
            return;
}

int64_t topic_callback_count(topic_t *self)
{
    return atomic_load_explicit(&self->callbacks_known, memory_order_acquire)
               ? (int64_t)(uint32_t)atomic_load_explicit(&self->callbacks, memory_order_acquire)
               : TOPIC_CALLBACKS_UNKNOWN;
}

void topic_view(topic_t *self, topic_view_t *view)
{
    uint32_t begun;
    int tries = 0;
    do {
        begun = seqlock_read_begin(&self->sequence);
        view->subscribed = atomic_load_explicit(&self->subscribed, memory_order_acquire);
        view->no_server_counter =
            atomic_load_explicit(&self->no_server_counter, memory_order_acquire);
        view->unbased = atomic_load_explicit(&self->unbased, memory_order_acquire);
        view->callback_count = topic_callback_count(self);
        view->channel = atomic_load_explicit(&self->channel, memory_order_acquire);
        view->server_counter = atomic_load_explicit(&self->counter, memory_order_acquire);
        for (size_t i = 0; i < TOPIC_COUNTS; i++)
            view->counts[i] = count_get(&self->counts[i]);
        view->last_event_ns = time_get(&self->last_event_ns);
        view->last_error_event_ns = time_get(&self->last_error_event_ns);
        view->last_resubscribed_ns = time_get(&self->last_resubscribed_ns);
    } while (seqlock_read_again(&self->sequence, begun, &tries));
}
