#include "agent/stream.h"

#include <stdlib.h>
#include <string.h>

#include "agent/clocks.h"
#include "agent/seqlock.h"
#include "agent/streams.h"
#include "agent/wire.h"

static void stream_is_counted(stream_t *self)
{
    atomic_store_explicit(&self->counted, true, memory_order_release);
}

void stream_subscribed(stream_t *self, int64_t now_ns)
{
    time_set(&self->last_subscription_ns, now_ns);
    stream_is_counted(self);
}

#define RESUBSCRIBE_PERIOD_NS INT64_C(600000000000)

listeners_t stream_listeners(const stream_view_t *view, int64_t now_ns)
{
    if (view->last_subscription_ns == CLOCK_NEVER)
        return LISTENERS_UNKNOWN;
    return now_ns - view->last_subscription_ns < RESUBSCRIBE_PERIOD_NS ? LISTENERS_SOME
                                                                       : LISTENERS_NONE;
}

/* Whether an event without a server counter is to be counted. */
static bool is_counted_call(streams_t *streams, stream_t *self, push_call_t *call)
{
    if (!call->watched)
        return true;
    if (call->number == 0)
        call->number = atomic_fetch_add_explicit(&streams->push_calls, 1, memory_order_relaxed) + 1;
    bool same = self->last_call == call->number;
    self->last_call = call->number;
    return call->counts && !same;
}

/*
 * Whether somebody subscribed to the stream under its name without "#dbase=no". That name, for
 * which nothing is ever sent, then stands for this one.
 */
static bool take_over_subscription(streams_t *streams, stream_t *self)
{
    static const char no_database[] = "#dbase=no";
    const char *modifier = strstr(self->entry.name, no_database);
    if (!modifier || self->entry.name_length > WIRE_TOPIC_MAX)
        return false;
    char plain[WIRE_TOPIC_MAX];
    size_t head = (size_t)(modifier - self->entry.name);
    size_t length = self->entry.name_length - (sizeof no_database - 1);
    memcpy(plain, self->entry.name, head);
    memcpy(plain + head, modifier + sizeof no_database - 1, length - head);
    stream_t *other = (stream_t *)table_find(&streams->published, plain, length);
    if (!other || !atomic_load_explicit(&other->counted, memory_order_acquire))
        return false;
    atomic_store_explicit(&other->replaced, true, memory_order_release);
    time_set(&self->last_subscription_ns, time_get(&other->last_subscription_ns));
    stream_is_counted(self);
    return true;
}

void stream_pushed(streams_t *streams, stream_t *self, uint32_t counter, push_call_t *call,
                   uint64_t bytes, int64_t now_ns)
{
    uint32_t last = atomic_load_explicit(&self->counter, memory_order_relaxed);
    uint64_t more;
    if (counter == 0 && last == 0) {
        if (!atomic_load_explicit(&self->counted, memory_order_relaxed) &&
            !take_over_subscription(streams, self))
            return;
        more = is_counted_call(streams, self, call) ? 1 : 0;
    } else if (call->watched && !call->counts) {
        /* The same event in the layout of other clients; it carries the next counter already. */
        more = 0;
    } else if (count_get(&self->pushed_event_count) == 0) {
        /* The counter is 1 for the first event after the first subscription: if the agent came
           later, the counter tells how many it has not seen. */
        more = counter;
    } else {
        more = (uint32_t)(counter - last); /* right across the wrap */
    }
    if (more == 0)
        return;

    seqlock_write_begin(&self->sequence);
    atomic_store_explicit(&self->counter, counter, memory_order_release);
    count_add(&self->pushed_event_count, more);
    count_add(&self->byte_count, bytes);
    time_set(&self->last_event_ns, now_ns);
    seqlock_write_end(&self->sequence);
    stream_is_counted(self);
}

void stream_push_took(stream_t *self, int64_t duration_ns)
{
    histogram_t *times = atomic_load_explicit(&self->push_times, memory_order_acquire);
    if (!times) {
        histogram_t *made = histogram_new(1);
        if (!made)
            return;
        if (atomic_compare_exchange_strong(&self->push_times, &times, made))
            times = made;
        else
            free(made); /* another thread was first */
    }
    histogram_add(times, duration_ns);
}

bool stream_view(stream_t *self, stream_view_t *view)
{
    uint32_t begun;
    int tries = 0;
    do {
        begun = seqlock_read_begin(&self->sequence);
        view->pushed_event_count = count_get(&self->pushed_event_count);
        view->byte_count = count_get(&self->byte_count);
        view->last_event_ns = time_get(&self->last_event_ns);
        view->last_subscription_ns = time_get(&self->last_subscription_ns);
    } while (seqlock_read_again(&self->sequence, begun, &tries));
    return atomic_load_explicit(&self->counted, memory_order_acquire) &&
           !atomic_load_explicit(&self->replaced, memory_order_acquire);
}
