#include "agent/counts/consumer_thread.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "agent/counts/seqlock.h"

void consumer_enters(consumer_thread_t *self, consumer_state_t state, topic_t *topic,
                     int64_t now_ns)
{
    seqlock_write_begin(&self->sequence);
    if (atomic_load_explicit(&self->thread_id, memory_order_relaxed) == 0)
        atomic_store_explicit(&self->thread_id, (int32_t)syscall(SYS_gettid), memory_order_release);
    topic_t *left = atomic_load_explicit(&self->topic, memory_order_relaxed);
    int64_t took_ns = now_ns - time_get(&self->since_ns);
    if (left && (took_ns > time_get(&self->longest_ns) ||
                 !atomic_load_explicit(&self->longest_topic, memory_order_relaxed))) {
        time_set(&self->longest_ns, took_ns);
        atomic_store_explicit(&self->longest_topic, left, memory_order_release);
    }
    atomic_store_explicit(&self->state, (int)state, memory_order_release);
    atomic_store_explicit(&self->topic, topic, memory_order_release);
    time_set(&self->since_ns, now_ns);
    seqlock_write_end(&self->sequence);
}

void consumer_forget(consumer_thread_t *self)
{
    atomic_store_explicit(&self->thread_id, 0, memory_order_release);
    atomic_store_explicit(&self->topic, NULL, memory_order_release);
    atomic_store_explicit(&self->longest_topic, NULL, memory_order_release);
    time_set(&self->longest_ns, 0);
    time_set(&self->delay_count, 0);
}

bool consumer_view(consumer_thread_t *self, consumer_view_t *view, int64_t now_ns)
{
    uint32_t begun;
    int tries = 0;
    do {
        begun = seqlock_read_begin(&self->sequence);
        view->thread_id = atomic_load_explicit(&self->thread_id, memory_order_acquire);
        view->state = (consumer_state_t)atomic_load_explicit(&self->state, memory_order_acquire);
        view->topic = atomic_load_explicit(&self->topic, memory_order_acquire);
        view->since_ns = time_get(&self->since_ns);
        view->longest_ns = time_get(&self->longest_ns);
        view->longest_topic = atomic_load_explicit(&self->longest_topic, memory_order_acquire);
        view->delayed = atomic_load_explicit(&self->delay_count, memory_order_acquire) > 0;
        view->delayed_since_ns = time_get(&self->delayed_since_ns);
    } while (seqlock_read_again(&self->sequence, begun, &tries));
    if (view->topic && now_ns - view->since_ns >= view->longest_ns) {
        view->longest_ns = now_ns - view->since_ns;
        view->longest_topic = view->topic;
    }
    return view->thread_id != 0;
}

/* cppTango counts the DELAYs in progress, and a RELEASE too many does nothing. */
void consumer_delay(consumer_thread_t *self, bool delay, int64_t now_ns)
{
    int64_t count = time_get(&self->delay_count);
    seqlock_write_begin(&self->sequence);
    if (delay && count == 0)
        time_set(&self->delayed_since_ns, now_ns);
    if (delay || count > 0)
        time_set(&self->delay_count, delay ? count + 1 : count - 1);
    seqlock_write_end(&self->sequence);
}
