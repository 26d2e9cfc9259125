/*
 * counts: everything that the agent counts: the hooks write it, the commands answer it.
 */
#ifndef STEM_AGENT_COUNTS_H
#define STEM_AGENT_COUNTS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "agent/counts/samples.h"
#include "agent/counts/streams.h"
#include "agent/counts/subscriptions.h"

typedef struct {
    streams_t streams;
    subscriptions_t subscriptions;
    samples_t samples;
    /* What isn't watched, in words, because libtango has no slots for it; NULL: nothing. */
    _Atomic(const char *) unwatched;
    _Atomic bool other_libtango; /* a second one started a server, which isn't watched */
} counts_t;

/* The agent's own. Hidden, so that a hook accesses it without an address table. */
extern counts_t agent_counts __attribute__((visibility("hidden")));

#endif
