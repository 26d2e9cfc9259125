/*
 * monotonic: a clock that only goes forward, for waiting and measuring.
 */
#ifndef STEM_MONOTONIC_H
#define STEM_MONOTONIC_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#define NS_PER_SECOND INT64_C(1000000000)

/* Now, in nanoseconds or seconds since an arbitrary moment. */
int64_t monotonic_ns(void);
double monotonic_seconds(void);

/* Nanoseconds, a moment or a span, as system calls want them. */
struct timespec monotonic_timespec(int64_t ns);

/* Makes a condition that is waited for until a moment of this clock, and not one of the day's. */
void monotonic_condition(pthread_cond_t *condition);

#endif
