#include "monitor/gate.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "monitor/monotonic.h"

void gate_init(gate_t *self)
{
    *self = (gate_t){0};
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->left, &attributes);
    pthread_condattr_destroy(&attributes);
}

void gate_destroy(gate_t *self)
{
    pthread_cond_destroy(&self->left);
    pthread_mutex_destroy(&self->lock);
}

/* The place of who is inside for longest, or an empty one: those are 0. Locked. */
static int64_t *oldest(gate_t *self)
{
    int64_t *found = self->entered_ns;
    for (int64_t *place = found; place < self->entered_ns + GATE_PLACES; place++) {
        if (*place < *found)
            found = place;
    }
    return found;
}

/* Whether somebody has entered at that very moment. Locked. */
static bool is_taken(const gate_t *self, int64_t entered)
{
    for (size_t i = 0; i < GATE_PLACES; i++) {
        if (self->entered_ns[i] == entered)
            return true;
    }
    return false;
}

int64_t gate_enter(gate_t *self)
{
    pthread_mutex_lock(&self->lock);
    int64_t *place = oldest(self);
    while (*place > 0 && monotonic_ns() < *place + GATE_PATIENCE_NS) {
        const struct timespec deadline = monotonic_timespec(*place + GATE_PATIENCE_NS);
        pthread_cond_timedwait(&self->left, &self->lock, &deadline);
        place = oldest(self);
    }
    int64_t entered = monotonic_ns();
    while (is_taken(self, entered))
        entered++;
    *place = entered;
    pthread_mutex_unlock(&self->lock);
    return entered;
}

void gate_leave(gate_t *self, int64_t entered)
{
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < GATE_PLACES; i++) {
        if (self->entered_ns[i] == entered)
            self->entered_ns[i] = 0;
    }
    pthread_cond_signal(&self->left);
    pthread_mutex_unlock(&self->lock);
}
