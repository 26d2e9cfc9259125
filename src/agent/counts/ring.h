/*
 * ring: the newest RING_SIZE samples of something. Any thread may add one at any time and never
 * waits; a reader copies the samples that it hasn't seen.
 */
#ifndef STEM_AGENT_RING_H
#define STEM_AGENT_RING_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { RING_SIZE = 256, RING_WORDS = 12 };

/* A sample in the ring; its user gives the words their meaning. */
typedef struct {
    int64_t words[RING_WORDS];
} ring_sample_t;

typedef struct {
    /* 2 * n + 1 while sample number n is being written here, 2 * n + 2 when it is complete. */
    _Atomic uint64_t state;
    _Atomic int64_t words[RING_WORDS];
} ring_slot_t;

typedef struct {
    _Atomic uint64_t next; /* number of the next sample */
    ring_slot_t slots[RING_SIZE];
} ring_t;

/* A reader's place in a ring: the number of the first sample that it hasn't seen. */
typedef uint64_t ring_place_t;

/* Adds a sample; drops it if its slot is being written by another thread. */
void ring_push(ring_t *self, const ring_sample_t *sample);

/* The place after the newest sample: a reader that starts there sees only later ones. */
ring_place_t ring_end(ring_t *self);

/*
 * Copies the complete samples from *place on, oldest first, at most RING_SIZE of the newest, to out
 * (of RING_SIZE) and moves *place after them. Returns their number. A sample that is being
 * overwritten at this moment is left out.
 */
size_t ring_read(ring_t *self, ring_place_t *place, ring_sample_t *out);

#endif
