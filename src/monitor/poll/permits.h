/*
 * permits: a semaphore whose permits expire, for what only a few threads should do at a time.
 *
 * A thread that holds its permit for too long loses it to the next one, so that nobody waits for
 * long behind threads that are stuck.
 */
#ifndef STEM_PERMITS_H
#define STEM_PERMITS_H

#include <pthread.h>
#include <stdint.h>

/* How many permits there are, and how long one is valid. */
#define PERMITS_MAXIMUM   4
#define PERMITS_EXPIRY_NS INT64_C(25000000)

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t released;
    int64_t acquired_ns[PERMITS_MAXIMUM]; /* monotonic; identifies the holder; 0: nobody */
} permits_t;

void permits_init(permits_t *self);

/* No thread may hold a permit or wait for one. */
void permits_clear(permits_t *self);

/* Waits for a permit. Returns what permits_release() needs. */
int64_t permits_acquire(permits_t *self);

/* Gives a permit back; does nothing if it has expired and another thread has it. */
void permits_release(permits_t *self, int64_t acquired);

#endif
