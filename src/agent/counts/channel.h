/*
 * channel: an event channel, the connection to one publishing server.
 *
 * Written by the consumer thread; readers may come from any thread at any time.
 */
#ifndef STEM_AGENT_CHANNEL_H
#define STEM_AGENT_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/counts/table.h"

enum { CHANNEL_ENDPOINT_SIZE = 128 };

/* An event channel: one publishing server. */
typedef struct {
    table_entry_t entry; /* name: the publisher's admin device */
    _Atomic uint32_t sequence;
    _Atomic bool connected;
    _Atomic bool forgotten;                               /* see channel_forget() */
    _Atomic uint64_t endpoint[CHANNEL_ENDPOINT_SIZE / 8]; /* of its heartbeats */
    _Atomic uint64_t event_endpoint[CHANNEL_ENDPOINT_SIZE / 8];
    _Atomic uint64_t heartbeat_count;
    _Atomic uint64_t missed_heartbeat_count;
    _Atomic int64_t last_heartbeat_ns;
    _Atomic int announced_origin; /* control_origin_t, see topic_t */

    /* The consumer thread's own. */
    int64_t last_heartbeat_monotonic_ns; /* likewise, by a clock that nobody sets */
} channel_t;

typedef struct {
    bool connected;
    char endpoint[CHANNEL_ENDPOINT_SIZE];       /* "" if not known */
    char event_endpoint[CHANNEL_ENDPOINT_SIZE]; /* likewise */
    uint64_t heartbeat_count;                   /* since it was connected, or adopted */
    uint64_t missed_heartbeat_count;            /* due, and not there when the next one came */
    int64_t last_heartbeat_ns;                  /* CLOCK_REALTIME, or CLOCK_NEVER */
} channel_view_t;

/* It is connected to that endpoint. again: Tango reconnects it after a failure; its heartbeats were
 * missing meanwhile. */
void channel_connect(channel_t *self, const char *endpoint, bool again);

/*
 * A heartbeat shows that it is connected, since a time before the agent watched: its endpoints
 * aren't known, and its heartbeats are counted from this one on. By the consumer thread.
 */
void channel_adopt(channel_t *self);

/*
 * Nothing was watched for a while: it isn't connected, until the next heartbeat or control command
 * shows that it is; then it begins anew. By any thread.
 */
void channel_forget(channel_t *self);

/* Whether that is so. */
bool channel_is_forgotten(channel_t *self);

/* The endpoint of its events, from a control command. */
void channel_set_event_endpoint(channel_t *self, const char *endpoint);

/* A heartbeat has arrived. now_ns: CLOCK_REALTIME; monotonic_ns: CLOCK_MONOTONIC. */
void channel_heartbeat(channel_t *self, int64_t now_ns, int64_t monotonic_ns);

void channel_view(channel_t *self, channel_view_t *view);

#endif
