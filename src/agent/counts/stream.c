#include "agent/counts/stream.h"

#include <stdlib.h>

#include "agent/counts/seqlock.h"
#include "agent/platform/clocks.h"
#include "agent/tango/topic_name.h"

static void stream_is_counted(stream_t *self)
{
    atomic_store_explicit(&self->counted, true, memory_order_release);
}

static bool is_forgotten(stream_t *self)
{
    return atomic_load_explicit(&self->forgotten, memory_order_acquire);
}

void stream_subscribed(stream_t *self, published_t *published, int64_t now_ns)
{
    time_set(&self->last_subscription_ns, now_ns);
    /* It may have been pushed before the agent watched; its next event's counter will tell. */
    if (atomic_load_explicit(&published->joined_late, memory_order_relaxed) &&
        count_get(&self->pushed_event_count) == 0)
        atomic_store_explicit(&self->partial, true, memory_order_release);
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
static bool is_counted_call(stream_t *self, published_t *published, push_call_t *call)
{
    if (!call->watched)
        return true;
    if (call->number == 0)
        call->number =
            atomic_fetch_add_explicit(&published->push_calls, 1, memory_order_relaxed) + 1;
    bool same = self->last_call == call->number;
    self->last_call = call->number;
    return call->counts && !same;
}

void stream_forget(stream_t *self)
{
    time_set(&self->last_subscription_ns, CLOCK_NEVER);
    atomic_store_explicit(&self->counted, false, memory_order_release);
    atomic_store_explicit(&self->forgotten, true, memory_order_release);
}

/* The first event after stream_forget. */
static void begin_anew(stream_t *self)
{
    seqlock_write_begin(&self->sequence);
    count_set(&self->pushed_event_count, 0);
    count_set(&self->byte_count, 0);
    time_set(&self->last_event_ns, CLOCK_NEVER);
    atomic_store_explicit(&self->partial, false, memory_order_release);
    atomic_store_explicit(&self->forgotten, false, memory_order_release);
    histogram_t *times = atomic_load_explicit(&self->push_times, memory_order_acquire);
    if (times)
        histogram_reset(times);
    seqlock_write_end(&self->sequence);
}

/*
 * Whether the stream may have had subscribers before the agent watched, though it sends no counter
 * that would show it.
 */
static bool may_be_older(const stream_t *self, published_t *published)
{
    return published->lacks_counters &&
           atomic_load_explicit(&published->joined_late, memory_order_relaxed) &&
           topic_name_has_no_database(self->entry.name, self->entry.name_length);
}

/*
 * Whether somebody subscribed to the stream under its name without "#dbase=no". Nothing is ever
 * sent under that name; it is counted as this stream.
 */
static bool take_over_subscription(stream_t *self, published_t *published)
{
    char plain[TOPIC_NAME_MAX];
    size_t length = self->entry.name_length;
    length =
        length <= TOPIC_NAME_MAX ? topic_name_without_modifier(self->entry.name, length, plain) : 0;
    if (length == 0)
        return false;
    stream_t *other = (stream_t *)table_find(&published->streams, plain, length);
    if (!other || !atomic_load_explicit(&other->counted, memory_order_acquire))
        return false;
    atomic_store_explicit(&other->replaced, true, memory_order_release);
    time_set(&self->last_subscription_ns, time_get(&other->last_subscription_ns));
    stream_is_counted(self);
    return true;
}

void stream_pushed(stream_t *self, published_t *published, uint32_t counter, push_call_t *call,
                   uint64_t bytes, int64_t now_ns)
{
    if (is_forgotten(self))
        begin_anew(self);
    uint32_t last = atomic_load_explicit(&self->counter, memory_order_relaxed);
    uint64_t more;
    bool has_no_counter = counter == 0 && !self->has_counter;
    self->has_counter |= counter != 0;
    if (has_no_counter && published->starts_unwatched && !call->watched) {
        atomic_store_explicit(&self->uncountable, true, memory_order_release);
        time_set(&self->last_event_ns, now_ns);
        stream_is_counted(self);
        return;
    }
    if (has_no_counter) {
        bool older = !atomic_load_explicit(&self->partial, memory_order_relaxed) &&
                     may_be_older(self, published);
        if (older)
            atomic_store_explicit(&self->partial, true, memory_order_release);
        if (!atomic_load_explicit(&self->counted, memory_order_relaxed) &&
            !take_over_subscription(self, published) && !older)
            return;
        more = is_counted_call(self, published, call) ? 1 : 0;
    } else if (call->watched && !call->counts) {
        /* The same event in the layout of other clients; it already has the next counter. */
        more = 0;
    } else if (count_get(&self->pushed_event_count) == 0) {
        /* The counter is 1 for the first event after the first subscription: if the agent was
         * loaded later, the counter shows how many it has not seen. */
        more = counter;
    } else {
        more = (uint32_t)(counter - last); /* correct across the wrap */
    }
    if (more == 0)
        return;

    seqlock_write_begin(&self->sequence);
    atomic_store_explicit(&self->counter, counter, memory_order_release);
    count_add(&self->pushed_event_count, more);
    count_add(&self->byte_count, bytes);
    time_set(&self->last_event_ns, now_ns);
    if (!has_no_counter)
        atomic_store_explicit(&self->partial, false, memory_order_release);
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
            free(made); /* another thread did it first */
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
        view->partial = atomic_load_explicit(&self->partial, memory_order_acquire);
        view->uncountable = atomic_load_explicit(&self->uncountable, memory_order_acquire);
        view->last_event_ns = time_get(&self->last_event_ns);
        view->last_subscription_ns = time_get(&self->last_subscription_ns);
        if (is_forgotten(self)) {
            view->pushed_event_count = view->byte_count = 0;
            view->partial = true;
            view->last_event_ns = CLOCK_NEVER;
        }
    } while (seqlock_read_again(&self->sequence, begun, &tries));
    return atomic_load_explicit(&self->counted, memory_order_acquire) &&
           !atomic_load_explicit(&self->replaced, memory_order_acquire);
}
