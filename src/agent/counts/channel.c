#include "agent/counts/channel.h"

#include <string.h>

#include "agent/counts/seqlock.h"
#include "agent/platform/clocks.h"

static void set_text(_Atomic uint64_t *words, const char *text)
{
    uint64_t copy[CHANNEL_ENDPOINT_SIZE / 8] = {0};
    size_t length = strnlen(text, CHANNEL_ENDPOINT_SIZE - 1);
    memcpy(copy, text, length);
    for (size_t i = 0; i < CHANNEL_ENDPOINT_SIZE / 8; i++)
        atomic_store_explicit(&words[i], copy[i], memory_order_release);
}

static void get_text(_Atomic uint64_t *words, char *text)
{
    for (size_t i = 0; i < CHANNEL_ENDPOINT_SIZE / 8; i++) {
        uint64_t word = atomic_load_explicit(&words[i], memory_order_acquire);
        memcpy(text + 8 * i, &word, 8);
    }
    text[CHANNEL_ENDPOINT_SIZE - 1] = '\0';
}

static void channel_reset(channel_t *self)
{
    count_set(&self->heartbeat_count, 0);
    count_set(&self->missed_heartbeat_count, 0);
    time_set(&self->last_heartbeat_ns, CLOCK_NEVER);
    self->last_heartbeat_monotonic_ns = CLOCK_NEVER;
}

void channel_adopt(channel_t *self)
{
    seqlock_write_begin(&self->sequence);
    atomic_store_explicit(&self->forgotten, false, memory_order_release);
    channel_reset(self);
    set_text(self->endpoint, "");
    set_text(self->event_endpoint, "");
    atomic_store_explicit(&self->connected, true, memory_order_release);
    seqlock_write_end(&self->sequence);
}

void channel_forget(channel_t *self)
{
    atomic_store_explicit(&self->forgotten, true, memory_order_release);
    atomic_store_explicit(&self->connected, false, memory_order_release);
}

bool channel_is_forgotten(channel_t *self)
{
    return atomic_load_explicit(&self->forgotten, memory_order_acquire);
}

void channel_connect(channel_t *self, const char *endpoint, bool again)
{
    seqlock_write_begin(&self->sequence);
    if (atomic_exchange(&self->forgotten, false)) {
        again = false;
        set_text(self->event_endpoint, "");
    }
    if (!again)
        channel_reset(self);
    atomic_store_explicit(&self->connected, true, memory_order_release);
    set_text(self->endpoint, endpoint);
    seqlock_write_end(&self->sequence);
}

void channel_set_event_endpoint(channel_t *self, const char *endpoint)
{
    seqlock_write_begin(&self->sequence);
    set_text(self->event_endpoint, endpoint);
    seqlock_write_end(&self->sequence);
}

/* A publisher sends one every 9 s, and one may come late. */
#define HEARTBEAT_PERIOD_NS INT64_C(9000000000)
#define HEARTBEAT_LATE_NS   INT64_C(6000000000)

void channel_heartbeat(channel_t *self, int64_t now_ns, int64_t monotonic_ns)
{
    int64_t last_ns = self->last_heartbeat_monotonic_ns;
    int64_t gap_ns = last_ns == CLOCK_NEVER ? 0 : monotonic_ns - last_ns;
    self->last_heartbeat_monotonic_ns = monotonic_ns;
    seqlock_write_begin(&self->sequence);
    count_add(&self->heartbeat_count, 1);
    if (gap_ns > HEARTBEAT_PERIOD_NS + HEARTBEAT_LATE_NS)
        count_add(&self->missed_heartbeat_count,
                  (uint64_t)((gap_ns - HEARTBEAT_PERIOD_NS / 2) / HEARTBEAT_PERIOD_NS));
    time_set(&self->last_heartbeat_ns, now_ns);
    seqlock_write_end(&self->sequence);
}

void channel_view(channel_t *self, channel_view_t *view)
{
    uint32_t begun;
    int tries = 0;
    do {
        begun = seqlock_read_begin(&self->sequence);
        view->connected = atomic_load_explicit(&self->connected, memory_order_acquire);
        get_text(self->endpoint, view->endpoint);
        get_text(self->event_endpoint, view->event_endpoint);
        view->heartbeat_count = count_get(&self->heartbeat_count);
        view->missed_heartbeat_count = count_get(&self->missed_heartbeat_count);
        view->last_heartbeat_ns = time_get(&self->last_heartbeat_ns);
    } while (seqlock_read_again(&self->sequence, begun, &tries));
}
