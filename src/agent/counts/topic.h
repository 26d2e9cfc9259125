/*
 * topic: an event topic that this process has subscribed to, and the counts of its events.
 *
 * Written by the one consumer thread; readers may come from any thread at any time.
 */
#ifndef STEM_AGENT_TOPIC_H
#define STEM_AGENT_TOPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/counts/channel.h"
#include "agent/counts/histogram.h"
#include "agent/counts/table.h"

/*
 * Why a control command is sent. The command doesn't say, but the thread that sends it knows: a
 * client subscribes or unsubscribes, or Tango reconnects a failed channel and all its topics.
 */
typedef enum { CONTROL_UNKNOWN, CONTROL_OF_CLIENT, CONTROL_OF_RECONNECTION } control_origin_t;

/* Of a topic's events, while monitoring is on. */
typedef struct {
    histogram_t latency;    /* from the event's own timestamp until it is handed to callbacks */
    histogram_t processing; /* from its last frame until all its callbacks have returned */
} topic_times_t;

/*
 * What is counted of a topic's events since it was subscribed. A counter is a line here, and one
 * with its key in the table of answer.c; what adds to it is topic_received().
 */
typedef enum {
    TOPIC_EVENT_COUNT,  /* received and not discarded */
    TOPIC_MISSED_COUNT, /* jumps that cppTango finds */
    TOPIC_DISCARDED_COUNT,
    TOPIC_ERROR_COUNT, /* of TOPIC_EVENT_COUNT, those that carry an error instead of a value */
    TOPIC_LOST_COUNT,
    TOPIC_OUTAGE_LOST_COUNT, /* of these, those pushed while the connection was down */
    TOPIC_RESTART_COUNT,     /* of the publisher */
    TOPIC_BYTE_COUNT,
    TOPIC_COUNTS /* how many there are */
} topic_count_t;

/* A subscribed topic. */
typedef struct {
    table_entry_t entry; /* name: the topic, with its IDL level */
    _Atomic uint32_t sequence;
    _Atomic bool subscribed;
    _Atomic(channel_t *) channel; /* or NULL */
    _Atomic uint32_t counter;
    _Atomic uint64_t counts[TOPIC_COUNTS];
    _Atomic int64_t last_event_ns;
    _Atomic int64_t last_error_event_ns;
    _Atomic int64_t last_resubscribed_ns;
    _Atomic uint64_t callbacks;   /* the number of the topic's subscription << 32, and how many */
    _Atomic bool callbacks_known; /* it was subscribed since the agent was loaded */

    _Atomic(topic_times_t *) times; /* NULL until one was sampled */
    _Atomic uint32_t port;          /* of its event endpoint; 0 if not known */

    /* From the thread that sends a control command, for the consumer thread. */
    _Atomic int announced_origin; /* control_origin_t */
    _Atomic(channel_t *) announced_channel;

    /* The publisher sends no counters (see stream_pushed), so that losses can't be told. */
    _Atomic bool no_server_counter;
    /* It was reconnected before there was any event to start counting from. */
    _Atomic bool unbased;
    /* Nothing was watched for a while: see topic_forget(). */
    _Atomic bool forgotten;

    /* The consumer thread's own. */
    bool has_counter;      /* an event has arrived since it was subscribed */
    bool discarded_before; /* the previous event was discarded */
    bool connected_anew;   /* its channel failed since the last event, and was reconnected */
    bool restart_expected; /* and leads to another process than before */
} topic_t;

#define TOPIC_CALLBACKS_UNKNOWN INT64_C(-1)

typedef struct {
    bool subscribed;
    const channel_t *channel;
    int64_t callback_count; /* TOPIC_CALLBACKS_UNKNOWN if it was subscribed before the agent was
                               loaded */
    bool no_server_counter; /* server_counter is 0 for ever, TOPIC_LOST_COUNT means nothing */
    bool unbased;           /* TOPIC_LOST_COUNT is what is known; there may be more */
    uint32_t server_counter;
    uint64_t counts[TOPIC_COUNTS];
    int64_t last_event_ns;
    int64_t last_error_event_ns;
    int64_t last_resubscribed_ns;
} topic_view_t;

/* A client has subscribed to it. */
void topic_subscribe(topic_t *self);

/*
 * The consumer thread connects it. again: Tango renews the subscription by itself, because its
 * channel had failed; otherwise it is a new one, which starts all counts at zero. port: of the
 * event endpoint, 0 if not known.
 */
void topic_connect(topic_t *self, bool again, uint32_t port, channel_t *channel, int64_t now_ns);

/*
 * An event shows that it is subscribed, since a time before the agent watched. It begins to count
 * at zero, with this event as the baseline; its channel and callbacks aren't known. By the consumer
 * thread.
 */
void topic_adopt(topic_t *self);

/*
 * Nothing was watched for a while: what is known of it holds no longer. It isn't subscribed, until
 * the next event or control command shows that it is; then it begins anew. By any thread.
 */
void topic_forget(topic_t *self);

/* Whether that is so. */
bool topic_is_forgotten(topic_t *self);

/* How many callbacks it has isn't known, until somebody subscribes again. */
void topic_callbacks_unknown(topic_t *self);

typedef enum {
    TOPIC_RECEIVED,
    TOPIC_DISCARDED, /* a duplicate to cppTango: no callback sees it */
    TOPIC_IGNORED    /* not subscribed any more */
} topic_result_t;

/* An event that was received. */
typedef struct {
    uint32_t counter;    /* the server counter */
    bool is_error;       /* it carries an error instead of a value */
    bool compares_zeros; /* this libtango takes 0 after 0 for a duplicate: see libtango.h */
    uint64_t bytes;      /* of all its frames */
    int64_t time_ns;     /* when it arrived; CLOCK_REALTIME */
} topic_event_t;

/*
 * One event was received. Judges its counter as cppTango does (so that missed and discarded agree
 * with what cppTango reports to its callbacks), and also counts how many events are missing.
 */
topic_result_t topic_received(topic_t *self, const topic_event_t *event);

void topic_view(topic_t *self, topic_view_t *view);

/* Records the times of one event of the topic; latency_known: it has a timestamp. By the consumer
 * thread. */
void topic_event_took(topic_t *self, bool latency_known, int64_t latency_ns, int64_t processing_ns);

/*
 * A callback was added to the topic, by any thread. Returns which subscription of the topic it
 * belongs to: if the last callback is removed while the topic is subscribed to again, the removal
 * must not count for the new subscription.
 */
uint32_t topic_callback_added(topic_t *self);

/* A callback of that subscription was removed, by any thread. */
void topic_callback_removed(topic_t *self, uint32_t subscription);

/* How many callbacks the topic has, or TOPIC_CALLBACKS_UNKNOWN. */
int64_t topic_callback_count(topic_t *self);

#endif
