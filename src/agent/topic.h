/*
 * topic: an event topic that this process has subscribed to, and what became of its events.
 *
 * Written by the one consumer thread; readers may come from any thread at any time.
 */
#ifndef STEM_AGENT_TOPIC_H
#define STEM_AGENT_TOPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/channel.h"
#include "agent/histogram.h"
#include "agent/table.h"

/*
 * Why an order is given. It doesn't say so itself, but the thread that sends it can be asked: a
 * client subscribes or unsubscribes, or Tango makes a channel that failed, and all its topics,
 * anew.
 */
typedef enum { ORDER_UNKNOWN, ORDER_OF_CLIENT, ORDER_OF_RECONNECTION } order_origin_t;

/* Of a topic's events, while monitoring is on. */
typedef struct {
    histogram_t latency;    /* from the event's own timestamp until it is handed to callbacks */
    histogram_t processing; /* from its last frame until all its callbacks have returned */
} topic_times_t;

/* A subscribed topic. */
typedef struct {
    table_entry_t entry; /* name: the topic, with its IDL level */
    _Atomic uint32_t sequence;
    _Atomic bool subscribed;
    _Atomic(channel_t *) channel; /* or NULL */
    _Atomic uint32_t counter;
    _Atomic uint64_t event_count;
    _Atomic uint64_t missed_event_count;
    _Atomic uint64_t discarded_event_count;
    _Atomic uint64_t lost_event_count;
    _Atomic uint64_t outage_lost_event_count;
    _Atomic uint64_t publisher_restart_count;
    _Atomic uint64_t byte_count;
    _Atomic int64_t last_event_ns;
    _Atomic int64_t last_resubscribed_ns;
    _Atomic uint64_t callbacks;   /* which subscription of the topic it is << 32, and how many */
    _Atomic bool callbacks_known; /* it was subscribed since the agent came */

    _Atomic(topic_times_t *) times; /* NULL until one was sampled */
    _Atomic uint32_t port;          /* of its event endpoint; 0 if not known */

    /* What the thread that sends an order says of it, for the consumer thread. */
    _Atomic int announced_origin; /* order_origin_t */
    _Atomic(channel_t *) announced_channel;

    /* The publisher sends no counters (see stream_pushed), so that losses can't be told. */
    _Atomic bool uncounted;

    /* The consumer thread's own. */
    bool has_counter;      /* an event came since it was subscribed */
    bool discarded_before; /* the event before was discarded */
    bool connected_anew;   /* its channel failed since the last event, and was made anew */
    bool restart_expected; /* and leads to another process than before */
} topic_t;

#define TOPIC_CALLBACKS_UNKNOWN INT64_C(-1)

typedef struct {
    bool subscribed;
    const channel_t *channel;
    int64_t callback_count; /* TOPIC_CALLBACKS_UNKNOWN if it was subscribed before the agent came */
    bool uncounted;         /* server_counter is 0 for ever, lost_event_count means nothing */
    uint32_t server_counter;
    uint64_t event_count;
    uint64_t missed_event_count;
    uint64_t discarded_event_count;
    uint64_t lost_event_count;
    uint64_t outage_lost_event_count; /* of these, those pushed while the connection was down */
    uint64_t publisher_restart_count;
    uint64_t byte_count;
    int64_t last_event_ns;
    int64_t last_resubscribed_ns;
} topic_view_t;

/* Somebody has subscribed to it. */
void topic_subscribe(topic_t *self);

/*
 * The consumer thread connects it. again: Tango makes the subscription anew by itself, because its
 * channel had failed; otherwise it is a new one, which starts all counts at zero. port: of the
 * event endpoint, 0 if not known.
 */
void topic_connect(topic_t *self, bool again, uint32_t port, channel_t *channel, int64_t now_ns);

typedef enum {
    TOPIC_RECEIVED,
    TOPIC_DISCARDED, /* a duplicate: no callback sees it */
    TOPIC_IGNORED    /* not subscribed any more */
} topic_result_t;

/*
 * One event was received. Judges its counter as cppTango does (so that missed and discarded agree
 * with what cppTango tells its callbacks), and counts besides how many events are gone.
 */
topic_result_t topic_received(topic_t *self, uint32_t counter, uint64_t bytes, int64_t now_ns);

void topic_view(topic_t *self, topic_view_t *view);

/* What one event of the topic took; latency_known: it has a timestamp. By the consumer thread. */
void topic_event_took(topic_t *self, bool latency_known, int64_t latency_ns, int64_t processing_ns);

/*
 * A callback was added to the topic, by any thread. Returns which subscription of the topic it
 * belongs to: when the last callback is taken away and the topic subscribed anew at the same time,
 * the one that goes must not be taken from the new ones.
 */
uint32_t topic_callback_added(topic_t *self);

/* A callback of that subscription was taken away, by any thread. */
void topic_callback_removed(topic_t *self, uint32_t subscription);

/* How many callbacks the topic has, or TOPIC_CALLBACKS_UNKNOWN. */
int64_t topic_callback_count(topic_t *self);

#endif
