/*
 * counts: everything that the agent counts: the hooks write it, the commands answer it.
 */
#ifndef STEM_AGENT_COUNTS_H
#define STEM_AGENT_COUNTS_H

#include "agent/counts/samples.h"
#include "agent/counts/streams.h"
#include "agent/counts/subscriptions.h"

typedef struct {
    streams_t streams;
    subscriptions_t subscriptions;
    samples_t samples;
} counts_t;

/* The agent's own. Hidden, so that a hook accesses it without an address table. */
extern counts_t agent_counts __attribute__((visibility("hidden")));

#endif
