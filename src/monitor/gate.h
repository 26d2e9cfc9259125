/*
 * gate: lets a few threads at a time do what hinders the others.
 *
 * A place is kept for a short time only: who takes longer loses it to the next, so that nobody
 * waits for long behind those who do not come out.
 */
#ifndef STEM_GATE_H
#define STEM_GATE_H

#include <pthread.h>
#include <stdint.h>

/* How many may be inside, and how long they keep the others out. */
#define GATE_PLACES      4
#define GATE_PATIENCE_NS INT64_C(25000000)

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t left;
    int64_t entered_ns[GATE_PLACES]; /* monotonic; the name of who is inside; 0: nobody */
} gate_t;

void gate_init(gate_t *self);

/* Nobody may be inside or waiting. */
void gate_destroy(gate_t *self);

/* Waits for a place. Returns what gate_leave() wants. */
int64_t gate_enter(gate_t *self);

void gate_leave(gate_t *self, int64_t entered);

#endif
