#include "agent/topic.h"

#include "agent/clocks.h"
#include "agent/seqlock.h"

void topic_subscribe(topic_t *self)
{
    atomic_store_explicit(&self->subscribed, true, memory_order_release);
}

/* A new subscription starts all counts anew, as cppTango's own do. */
static void topic_reset(topic_t *self)
{
    self->has_counter = false;
    self->discarded_before = false;
    self->connected_anew = false;
    self->restart_expected = false;
    atomic_store_explicit(&self->uncounted, false, memory_order_release);
    atomic_store_explicit(&self->counter, 0, memory_order_release);
    count_set(&self->event_count, 0);
    count_set(&self->missed_event_count, 0);
    count_set(&self->discarded_event_count, 0);
    count_set(&self->lost_event_count, 0);
    count_set(&self->outage_lost_event_count, 0);
    count_set(&self->publisher_restart_count, 0);
    count_set(&self->byte_count, 0);
    time_set(&self->last_event_ns, CLOCK_NEVER);
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

void topic_connect(topic_t *self, bool again, uint32_t port, channel_t *channel, int64_t now_ns)
{
    uint32_t last_port = atomic_load_explicit(&self->port, memory_order_relaxed);
    seqlock_write_begin(&self->sequence);
    if (again) {
        time_set(&self->last_resubscribed_ns, now_ns);
        self->connected_anew = true;
        /* The same server on another port is another process, and its counters begin again. */
        if (last_port != 0 && port != last_port)
            self->restart_expected = true;
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
 * The publisher's counter began again at 1: what it pushed before this event never came.
 */
static uint64_t lost_since_restart(uint32_t counter)
{
    return counter > 0 ? counter - 1 : 0;
}

/* What one event's counter says, next to the one before. */
typedef struct {
    bool duplicate;
    bool missed; /* cppTango will tell its callbacks API_MissedEvents */
    bool restarted;
    uint64_t lost;
} judgement_t;

/*
 * cppTango takes a counter of 0 for "none yet", so that it compares nothing with it. To us it is
 * one like the others, once others came: the counter has wrapped.
 */
static judgement_t judge(const topic_t *self, uint32_t last, uint32_t counter)
{
    judgement_t judgement = {0};
    if (!self->has_counter && !self->restart_expected)
        return judgement;

    uint32_t step = counter - last; /* modulo 2^32: right across the wrap */
    bool backwards = step > INT32_MAX;
    bool compared_by_tango = last != 0 || counter == 1;
    bool uncounted = atomic_load_explicit(&self->uncounted, memory_order_relaxed);
    judgement.missed = compared_by_tango && step >= 2 && !backwards;
    if (self->restart_expected || (backwards && !uncounted)) {
        judgement.restarted = true;
        judgement.lost = lost_since_restart(counter);
    } else if (uncounted) {
        judgement.lost = 0;
    } else if (step == 0) {
        /* The copy that every new subscriber makes the publisher send. A third one would be
           delivered by cppTango, so it is counted as received, too. */
        judgement.duplicate = compared_by_tango && !self->discarded_before;
    } else {
        judgement.lost = step - 1;
    }
    return judgement;
}

topic_result_t topic_received(topic_t *self, uint32_t counter, uint64_t bytes, int64_t now_ns)
{
    if (!atomic_load_explicit(&self->subscribed, memory_order_relaxed))
        return TOPIC_IGNORED;

    uint32_t last = atomic_load_explicit(&self->counter, memory_order_relaxed);
    judgement_t judgement = judge(self, last, counter);
    self->discarded_before = judgement.duplicate;
    seqlock_write_begin(&self->sequence);
    if (judgement.duplicate) {
        count_add(&self->discarded_event_count, 1);
        seqlock_write_end(&self->sequence);
        return TOPIC_DISCARDED;
    }

    count_add(&self->missed_event_count, judgement.missed ? 1 : 0);
    count_add(&self->publisher_restart_count, judgement.restarted ? 1 : 0);
    count_add(&self->lost_event_count, judgement.lost);
    /* ZeroMQ is told not to connect again by itself, so every outage ends with Tango's order. */
    if (self->connected_anew || judgement.restarted)
        count_add(&self->outage_lost_event_count, judgement.lost);
    if (counter != 0)
        atomic_store_explicit(&self->uncounted, false, memory_order_release);
    else if (!self->has_counter || judgement.restarted)
        atomic_store_explicit(&self->uncounted, true, memory_order_release);
    self->has_counter = true;
    self->connected_anew = false;
    self->restart_expected = false;
    atomic_store_explicit(&self->counter, counter, memory_order_release);
    count_add(&self->event_count, 1);
    count_add(&self->byte_count, bytes);
    time_set(&self->last_event_ns, now_ns);
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
    while (now >> 32 == subscription && (uint32_t)now > 0) {
        if (atomic_compare_exchange_weak(&self->callbacks, &now, now - 1))
            return;
    }
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
        view->uncounted = atomic_load_explicit(&self->uncounted, memory_order_acquire);
        view->callback_count = topic_callback_count(self);
        view->channel = atomic_load_explicit(&self->channel, memory_order_acquire);
        view->server_counter = atomic_load_explicit(&self->counter, memory_order_acquire);
        view->event_count = count_get(&self->event_count);
        view->missed_event_count = count_get(&self->missed_event_count);
        view->discarded_event_count = count_get(&self->discarded_event_count);
        view->lost_event_count = count_get(&self->lost_event_count);
        view->outage_lost_event_count = count_get(&self->outage_lost_event_count);
        view->publisher_restart_count = count_get(&self->publisher_restart_count);
        view->byte_count = count_get(&self->byte_count);
        view->last_event_ns = time_get(&self->last_event_ns);
        view->last_resubscribed_ns = time_get(&self->last_resubscribed_ns);
    } while (seqlock_read_again(&self->sequence, begun, &tries));
}
