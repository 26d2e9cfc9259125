/*
 * channel: an event channel, the connection to one publishing server.
 *
 * Written by the consumer thread; readers may come from any thread at any time.
 */
#ifndef STEM_AGENT_CHANNEL_H
#define STEM_AGENT_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/table.h"

enum { CHANNEL_ENDPOINT_SIZE = 128 };

/* An event channel: one publishing server. */
typedef struct {
    table_entry_t entry; /* name: the publisher's admin device */
    _Atomic uint32_t sequence;
    _Atomic bool connected;
    _Atomic uint64_t endpoint[CHANNEL_ENDPOINT_SIZE / 8]; /* of its heartbeats, as text */
    _Atomic uint64_t event_endpoint[CHANNEL_ENDPOINT_SIZE / 8];
    _Atomic uint64_t heartbeat_count;
    _Atomic uint64_t missed_heartbeat_count;
    _Atomic int64_t last_heartbeat_ns;
    _Atomic int announced_origin; /* order_origin_t, see topic_t */
} channel_t;

typedef struct {
    bool connected;
    char endpoint[CHANNEL_ENDPOINT_SIZE];
    char event_endpoint[CHANNEL_ENDPOINT_SIZE];
    uint64_t heartbeat_count;        /* since it was connected */
    uint64_t missed_heartbeat_count; /* how many were due and did not come before the next one */
    int64_t last_heartbeat_ns;       /* CLOCK_REALTIME, or CLOCK_NEVER */
} channel_view_t;

/* It is connected to that endpoint. again: it had failed and is made anew; its heartbeats were
   missing meanwhile. */
void channel_connect(channel_t *self, const char *endpoint, bool again);

/* Where its events come from, as an order says it. */
void channel_set_event_endpoint(channel_t *self, const char *endpoint);

/* A heartbeat has come. */
void channel_heartbeat(channel_t *self, int64_t now_ns);

void channel_view(channel_t *self, channel_view_t *view);

#endif
