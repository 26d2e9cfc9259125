#include "agent/counts/samples.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

static_assert(sizeof(push_sample_t) <= sizeof(ring_sample_t), "a push sample fits the ring");
static_assert(sizeof(receive_sample_t) <= sizeof(ring_sample_t), "a receive sample fits the ring");

void samples_restart(samples_t *self)
{
    atomic_store(&self->pushed_start, ring_end(&self->pushed));
    atomic_store(&self->received_start, ring_end(&self->received));
    atomic_fetch_add(&self->generation, 1);
}

void samples_enable(samples_t *self, bool enable)
{
    if (enable && !atomic_load(&self->enabled))
        samples_restart(self);
    atomic_store(&self->enabled, enable);
}

bool samples_enabled(samples_t *self)
{
    return atomic_load_explicit(&self->enabled, memory_order_relaxed);
}

uint32_t samples_generation(samples_t *self)
{
    return atomic_load_explicit(&self->generation, memory_order_relaxed);
}

void samples_push(samples_t *self, const push_sample_t *sample)
{
    ring_sample_t raw = {{0}};
    memcpy(&raw, sample, sizeof *sample);
    ring_push(&self->pushed, &raw);
}

void samples_receive(samples_t *self, const receive_sample_t *sample)
{
    ring_sample_t raw = {{0}};
    memcpy(&raw, sample, sizeof *sample);
    ring_push(&self->received, &raw);
}

/* A reader whose last call was before monitoring was restarted begins at that restart. */
static void catch_up(samples_t *self, samples_reader_t *reader)
{
    uint32_t generation = atomic_load(&self->generation);
    if (reader->generation == generation)
        return;
    reader->generation = generation;
    reader->pushed = atomic_load(&self->pushed_start);
    reader->received = atomic_load(&self->received_start);
}

size_t samples_read_pushed(samples_t *self, samples_reader_t *reader, push_sample_t *out)
{
    ring_sample_t raw[RING_SIZE];
    catch_up(self, reader);
    size_t count = ring_read(&self->pushed, &reader->pushed, raw);
    for (size_t i = 0; i < count; i++)
        memcpy(&out[i], &raw[i], sizeof out[i]);
    return count;
}

size_t samples_read_received(samples_t *self, samples_reader_t *reader, receive_sample_t *out)
{
    ring_sample_t raw[RING_SIZE];
    catch_up(self, reader);
    size_t count = ring_read(&self->received, &reader->received, raw);
    for (size_t i = 0; i < count; i++)
        memcpy(&out[i], &raw[i], sizeof out[i]);
    return count;
}
