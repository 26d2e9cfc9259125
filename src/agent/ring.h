/*
 * ring: the newest RING_SIZE samples of something. Any thread may add one at any time and never
 * waits; a reader copies what it hasn't seen.
 */
#ifndef STEM_AGENT_RING_H
#define STEM_AGENT_RING_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { RING_SIZE = 256, RING_WORDS = 12 };

/* A sample as the ring carries it; who uses it gives the words their meaning. */
typedef struct {
    int64_t words[RING_WORDS];
} ring_sample_t;

typedef struct {
    /* 2 * n + 1 while sample number n is being written here, 2 * n + 2 when it is complete. */
    _Atomic uint64_t state;
    _Atomic int64_t words[RING_WORDS];
} ring_slot_t;

typedef struct {
    _Atomic uint64_t next; /* number of the sample to come */
    ring_slot_t slots[RING_SIZE];
} ring_t;

/* A reader's place in a ring: the number of the first sample that it hasn't seen. */
typedef uint64_t ring_place_t;

/* Adds a sample; gives it up if the place for it is being written by another thread. */
void ring_push(ring_t *self, const ring_sample_t *sample);

/* The place behind the newest sample: who starts there sees only what comes. */
ring_place_t ring_end(ring_t *self);

/*
 * Copies the complete samples from *place on, oldest first, at most RING_SIZE of the newest, to
 * out (which has room for RING_SIZE) and moves *place behind them. Returns their number. A sample
 * that is being overwritten at this moment is left out.
 */
size_t ring_read(ring_t *self, ring_place_t *place, ring_sample_t *out);

#endif
