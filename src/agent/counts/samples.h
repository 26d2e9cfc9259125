/*
 * samples: performance monitoring, the 256 newest samples each of publishing and of receiving.
 *
 * It costs a clock read or two per event while it is on, and one load while it is off.
 */
#ifndef STEM_AGENT_SAMPLES_H
#define STEM_AGENT_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/counts/ring.h"

/* A duration or count that isn't known. */
#define SAMPLE_UNKNOWN INT64_MIN

/* Durations in nanoseconds. */
typedef struct {
    int64_t since_last_ns; /* SAMPLE_UNKNOWN for the first */
    int64_t push_event_ns; /* all of ZmqEventSupplier::push_event */
} push_sample_t;

enum { SAMPLE_NAME_SIZE = 32 };

typedef struct {
    char attr_name[SAMPLE_NAME_SIZE]; /* cut to 31 characters, NUL-terminated; "" if discarded */
    int64_t since_last_ns;            /* SAMPLE_UNKNOWN for the first */
    int64_t sleep_ns;                 /* waiting in poll since the previous event */
    int64_t process_ns;               /* from its last frame until the thread polls again */
    int64_t latency_ns;     /* from its own timestamp until it is handed on; or SAMPLE_UNKNOWN */
    int64_t callback_count; /* or SAMPLE_UNKNOWN */
    int64_t wake_count;     /* how often poll returned since the previous event */
    int64_t kind_and_discarded; /* event_kind_t * 2 + discarded */
} receive_sample_t;

typedef struct {
    _Atomic bool enabled;
    _Atomic bool pushes_unwatched; /* there are no samples of pushing */
    /*
     * Grows with every start, so that a thread notices that the event it remembers was before it.
     */
    _Atomic uint32_t generation;
    _Atomic ring_place_t pushed_start; /* where the rings were at the last start */
    _Atomic ring_place_t received_start;
    ring_t pushed;
    ring_t received;
} samples_t;

/* A reader's places in both rings, zero at first: each of the query commands has its own. */
typedef struct {
    uint32_t generation;
    ring_place_t pushed;
    ring_place_t received;
} samples_reader_t;

/* Switches monitoring on or off. Switching on what is on changes nothing. */
void samples_enable(samples_t *self, bool enable);

/* What was sampled before isn't given out any more, as after a start. */
void samples_restart(samples_t *self);

bool samples_enabled(samples_t *self);

/* The number of this start of monitoring: 1 for the first. */
uint32_t samples_generation(samples_t *self);

void samples_push(samples_t *self, const push_sample_t *sample);
void samples_receive(samples_t *self, const receive_sample_t *sample);

/*
 * The samples since the reader's last call or since monitoring was started, oldest first; out is of
 * RING_SIZE. Returns their number.
 */
size_t samples_read_pushed(samples_t *self, samples_reader_t *reader, push_sample_t *out);
size_t samples_read_received(samples_t *self, samples_reader_t *reader, receive_sample_t *out);

#endif
