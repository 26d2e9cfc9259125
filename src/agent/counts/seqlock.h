/*
 * seqlock: lets any thread read an entry with one writer consistently, at any time, without a lock.
 *
 * The sequence is odd while the writer is writing. All fields of an entry are atomic; they are
 * stored with release and loaded with acquire, which orders them against the sequence without
 * fences (plain moves on x86-64). A reader that meets the writer tries again; a writer that lost
 * its processor in between is given time to get it back. After about 0.1 s the reader takes what it
 * has, where each number is valid by itself: a query must end, whatever the load.
 */
#ifndef STEM_AGENT_SEQLOCK_H
#define STEM_AGENT_SEQLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum {
    SEQLOCK_READ_SPINS = 1000,
    SEQLOCK_READ_WAITS = 1000,
    SEQLOCK_READ_WAIT_NS = 50000, /* the kernel makes it some 0.1 ms */
};

static inline void seqlock_write_begin(_Atomic uint32_t *sequence)
{
    uint32_t now = atomic_load_explicit(sequence, memory_order_relaxed);
    atomic_store_explicit(sequence, now + 1, memory_order_relaxed);
}

static inline void seqlock_write_end(_Atomic uint32_t *sequence)
{
    uint32_t now = atomic_load_explicit(sequence, memory_order_relaxed);
    atomic_store_explicit(sequence, now + 1, memory_order_release);
}

static inline uint32_t seqlock_read_begin(_Atomic uint32_t *sequence)
{
    return atomic_load_explicit(sequence, memory_order_acquire);
}

static inline bool seqlock_read_again(_Atomic uint32_t *sequence, uint32_t begun, int *tries)
{
    bool whole = !(begun & 1) && atomic_load_explicit(sequence, memory_order_relaxed) == begun;
    if (whole || ++*tries > SEQLOCK_READ_SPINS + SEQLOCK_READ_WAITS)
        return false;
    if (*tries > SEQLOCK_READ_SPINS)
        nanosleep(&(struct timespec){.tv_nsec = SEQLOCK_READ_WAIT_NS}, NULL);
    return true;
}

/* Only the one writer adds. */
static inline void count_add(_Atomic uint64_t *number, uint64_t more)
{
    uint64_t now = atomic_load_explicit(number, memory_order_relaxed);
    atomic_store_explicit(number, now + more, memory_order_release);
}

static inline void count_set(_Atomic uint64_t *number, uint64_t value)
{
    atomic_store_explicit(number, value, memory_order_release);
}

static inline uint64_t count_get(_Atomic uint64_t *number)
{
    return atomic_load_explicit(number, memory_order_acquire);
}

static inline void time_set(_Atomic int64_t *time, int64_t value)
{
    atomic_store_explicit(time, value, memory_order_release);
}

static inline int64_t time_get(_Atomic int64_t *time)
{
    return atomic_load_explicit(time, memory_order_acquire);
}

#endif
