#include "agent/counts/ring.h"

/*
 * Each slot is a small sequence lock. The words are atomic themselves, stored with release and
 * loaded with acquire, so that no fence is needed (on x86-64 both are plain moves): a store to a
 * word can't pass the store of the odd state before it, a load of a word can't be passed by the
 * second load of the state.
 */
void ring_push(ring_t *self, const ring_sample_t *sample)
{
    uint64_t number = atomic_fetch_add_explicit(&self->next, 1, memory_order_relaxed);
    ring_slot_t *slot = &self->slots[number % RING_SIZE];
    /* A thread that was delayed until the ring has wrapped around gives its sample up, and so does
     * one that meets it: nobody waits, and no slot has two writers. */
    uint64_t state = atomic_load_explicit(&slot->state, memory_order_relaxed);
    if ((state & 1) || state > 2 * number ||
        !atomic_compare_exchange_strong(&slot->state, &state, 2 * number + 1))
        return;
    for (size_t i = 0; i < RING_WORDS; i++)
        atomic_store_explicit(&slot->words[i], sample->words[i], memory_order_release);
    atomic_store_explicit(&slot->state, 2 * number + 2, memory_order_release);
}

ring_place_t ring_end(ring_t *self)
{
    return atomic_load_explicit(&self->next, memory_order_acquire);
}

size_t ring_read(ring_t *self, ring_place_t *place, ring_sample_t *out)
{
    uint64_t end = ring_end(self);
    uint64_t from = *place;
    if (end - from > RING_SIZE)
        from = end - RING_SIZE;

    size_t count = 0;
    for (uint64_t number = from; number != end; number++) {
        ring_slot_t *slot = &self->slots[number % RING_SIZE];
        uint64_t complete = 2 * number + 2;
        if (atomic_load_explicit(&slot->state, memory_order_acquire) != complete)
            continue;
        for (size_t i = 0; i < RING_WORDS; i++)
            out[count].words[i] = atomic_load_explicit(&slot->words[i], memory_order_acquire);
        if (atomic_load_explicit(&slot->state, memory_order_relaxed) == complete)
            count++;
    }
    *place = end;
    return count;
}
