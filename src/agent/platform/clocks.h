/* clocks: the clocks that the agent reads, all in nanoseconds. */
#ifndef STEM_AGENT_CLOCKS_H
#define STEM_AGENT_CLOCKS_H

#include <stdint.h>
#include <time.h>

/* No time. */
#define CLOCK_NEVER 0

static inline int64_t clock_read_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* For durations. */
static inline int64_t clock_monotonic_ns(void)
{
    return clock_read_ns(CLOCK_MONOTONIC);
}

/* For durations that need only milliseconds; takes just a few nanoseconds. */
static inline int64_t clock_monotonic_coarse_ns(void)
{
    return clock_read_ns(CLOCK_MONOTONIC_COARSE);
}

/* To compare with an event's timestamp, which another process may have taken. */
static inline int64_t clock_realtime_ns(void)
{
    return clock_read_ns(CLOCK_REALTIME);
}

/* The time of the last kernel tick, some milliseconds old: good enough for "last event"; takes just
 * a few nanoseconds. */
static inline int64_t clock_coarse_ns(void)
{
    return clock_read_ns(CLOCK_REALTIME_COARSE);
}

#endif
