#include "agent/counts/histogram.h"

#include <errno.h>
#include <stdlib.h>

enum { PARTS = 1 << HISTOGRAM_PARTS_BITS };

histogram_t *histogram_new(size_t count)
{
    int saved_errno = errno;
    histogram_t *made = calloc(count, sizeof *made);
    errno = saved_errno;
    return made;
}

size_t histogram_bucket(int64_t duration_ns)
{
    if (duration_ns < INT64_C(1) << HISTOGRAM_FIRST_POWER)
        return 0;
    if (duration_ns >= INT64_C(1) << HISTOGRAM_LAST_POWER)
        return HISTOGRAM_BUCKETS - 1;
    unsigned power = 63 - (unsigned)__builtin_clzll((uint64_t)duration_ns);
    size_t part = (size_t)(duration_ns >> (power - HISTOGRAM_PARTS_BITS)) & (PARTS - 1);
    return 1 + (power - HISTOGRAM_FIRST_POWER) * PARTS + part;
}

/* The bucket's lower bound; not for the first one. */
static int64_t lower_bound(size_t bucket)
{
    size_t power = HISTOGRAM_FIRST_POWER + (bucket - 1) / PARTS;
    int64_t part = (int64_t)((bucket - 1) % PARTS);
    return (PARTS + part) << (power - HISTOGRAM_PARTS_BITS);
}

void histogram_bounds(size_t bucket, int64_t *from_ns, int64_t *to_ns)
{
    *from_ns = bucket == 0 ? INT64_MIN : lower_bound(bucket);
    *to_ns = bucket == HISTOGRAM_BUCKETS - 1 ? INT64_MAX : lower_bound(bucket + 1);
}

/*
 * Events whose timestamp was never set have latencies of fifty years: the sum stays at its maximum.
 */
static void add_up(_Atomic int64_t *sum_ns, int64_t duration_ns)
{
    int64_t now_ns = atomic_load_explicit(sum_ns, memory_order_relaxed);
    int64_t then_ns;
    do {
        if (__builtin_add_overflow(now_ns, duration_ns, &then_ns))
            then_ns = duration_ns > 0 ? INT64_MAX : INT64_MIN;
    } while (!atomic_compare_exchange_weak_explicit(sum_ns, &now_ns, then_ns, memory_order_relaxed,
                                                    memory_order_relaxed));
}

void histogram_add(histogram_t *self, int64_t duration_ns)
{
    atomic_fetch_add_explicit(&self->counts[histogram_bucket(duration_ns)], 1,
                              memory_order_relaxed);
    add_up(&self->sum_ns, duration_ns);
    int64_t max_ns = atomic_load_explicit(&self->max_ns, memory_order_relaxed);
    while (duration_ns > max_ns &&
           !atomic_compare_exchange_weak_explicit(&self->max_ns, &max_ns, duration_ns,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

void histogram_reset(histogram_t *self)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        atomic_store_explicit(&self->counts[i], 0, memory_order_relaxed);
    atomic_store_explicit(&self->sum_ns, 0, memory_order_relaxed);
    atomic_store_explicit(&self->max_ns, 0, memory_order_relaxed);
}
