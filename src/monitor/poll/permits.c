#include "monitor/poll/permits.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/monotonic.h"

void permits_init(permits_t *self)
{
    *self = (permits_t){0};
    pthread_mutex_init(&self->lock, NULL);
    monotonic_condition(&self->released);
}

void permits_clear(permits_t *self)
{
    pthread_cond_destroy(&self->released);
    pthread_mutex_destroy(&self->lock);
}

/* The permit that was acquired first, or a free one: those are 0. Locked. */
static int64_t *oldest(permits_t *self)
{
    int64_t *found = self->acquired_ns;
    for (int64_t *permit = found; permit < self->acquired_ns + PERMITS_MAXIMUM; permit++)
        if (*permit < *found)
            found = permit;
    return found;
}

/* Whether a permit was acquired at that very moment. Locked. */
static bool is_taken(const permits_t *self, int64_t acquired)
{
    for (size_t i = 0; i < PERMITS_MAXIMUM; i++)
        if (self->acquired_ns[i] == acquired)
            return true;
    return false;
}

int64_t permits_acquire(permits_t *self)
{
    pthread_mutex_lock(&self->lock);
    int64_t *permit = oldest(self);
    while (*permit > 0 && monotonic_ns() < *permit + PERMITS_EXPIRY_NS) {
        const struct timespec deadline = monotonic_timespec(*permit + PERMITS_EXPIRY_NS);
        pthread_cond_timedwait(&self->released, &self->lock, &deadline);
        permit = oldest(self);
    }
    int64_t acquired = monotonic_ns();
    while (is_taken(self, acquired))
        acquired++;
    *permit = acquired;
    pthread_mutex_unlock(&self->lock);
    return acquired;
}

void permits_release(permits_t *self, int64_t acquired)
{
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < PERMITS_MAXIMUM; i++)
        if (self->acquired_ns[i] == acquired)
            self->acquired_ns[i] = 0;
    pthread_cond_signal(&self->released);
    pthread_mutex_unlock(&self->lock);
}
