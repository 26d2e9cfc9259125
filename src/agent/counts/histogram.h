/*
 * histogram: counts durations by range, for any length of time, in fixed memory.
 *
 * The buckets are log-linear: each power of two nanoseconds from 2^10 (a microsecond) to 2^38 (275
 * s) is divided into 8 equal parts, so that the middle of a bucket is less than 7 % off any value
 * in it. The first bucket has everything shorter (also negative: a latency between clocks that
 * differ), the last everything longer. Nothing is ever dropped or halved.
 *
 * Any thread may add and read at any time; nobody waits.
 */
#ifndef STEM_AGENT_HISTOGRAM_H
#define STEM_AGENT_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HISTOGRAM_FIRST_POWER = 10,
    HISTOGRAM_LAST_POWER = 38,
    HISTOGRAM_PARTS_BITS = 3,
    HISTOGRAM_BUCKETS = ((HISTOGRAM_LAST_POWER - HISTOGRAM_FIRST_POWER) << HISTOGRAM_PARTS_BITS) + 2
};

/* Empty when zero. */
typedef struct {
    _Atomic uint64_t counts[HISTOGRAM_BUCKETS];
    _Atomic int64_t sum_ns; /* saturates at the ends of its range */
    _Atomic int64_t max_ns; /* 0 if none was longer than that */
} histogram_t;

/* An array of count empty histograms, to be freed; NULL if memory ran out. Keeps errno. */
histogram_t *histogram_new(size_t count);

void histogram_add(histogram_t *self, int64_t duration_ns);

/* Empties it. What is added meanwhile may or may not be in it. */
void histogram_reset(histogram_t *self);

/* Which bucket a duration belongs to. */
size_t histogram_bucket(int64_t duration_ns);

/* The bucket has durations of at least *from_ns and below *to_ns; the first begins at INT64_MIN,
 * the last ends at INT64_MAX. */
void histogram_bounds(size_t bucket, int64_t *from_ns, int64_t *to_ns);

#endif
