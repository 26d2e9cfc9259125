/*
 * streams: what is counted: the event streams that this process publishes, the topics that it has
 * subscribed to, and the event channels they come through.
 *
 * Writers: a stream is written by the thread that pushes (cppTango holds a mutex meanwhile), topics
 * and channels by the one consumer thread. Readers may come from any thread at any time: each entry
 * is a sequence lock, so a reader gets numbers that belong together and no writer ever waits.
 */
#ifndef STEM_AGENT_STREAMS_H
#define STEM_AGENT_STREAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/table.h"
#include "agent/wire.h"

/* At most so many streams, topics and channels each; what is beyond isn't counted, but its number
   is (see streams_t). */
enum { STREAMS_LIMIT = 65536, STREAMS_ENDPOINT_SIZE = 128 };

/* A time that never was. */
#define STREAMS_NEVER 0

/* A published stream. */
typedef struct {
    table_entry_t entry; /* name: "tango://host:port/domain/family/member/attr.change" */
    _Atomic uint32_t sequence;
    _Atomic bool counted; /* cppTango keeps a counter for it: it has or had a subscriber */
    _Atomic uint64_t pushed_event_count;
    _Atomic uint64_t byte_count;
    _Atomic int64_t last_event_ns;
    _Atomic uint32_t counter; /* the last server counter that was sent */
    _Atomic bool replaced;    /* cppTango counts under this name and sends under another */

    /* The pushing thread's own. */
    uint64_t last_call; /* the number of the call of push_event that sent its last event */
} stream_t;

/*
 * One call of ZmqEventSupplier::push_event, so that what it sends twice is counted once even where
 * there is no server counter.
 */
typedef struct {
    bool watched;    /* calls are watched at all */
    bool counts;     /* the call's last argument: it is this one that counts the event */
    uint64_t number; /* 0 at its beginning; given by stream_pushed when it needs one */
} push_call_t;

typedef struct {
    uint64_t pushed_event_count; /* since the stream's first subscriber came */
    uint64_t byte_count;         /* of all frames of these events, each event once */
    int64_t last_event_ns;       /* CLOCK_REALTIME, or STREAMS_NEVER */
} stream_view_t;

/* An event channel: one publishing server. */
typedef struct {
    table_entry_t entry; /* name: the publisher's admin device */
    _Atomic uint32_t sequence;
    _Atomic bool connected;
    _Atomic uint64_t endpoint[STREAMS_ENDPOINT_SIZE / 8]; /* of its heartbeats, as text */
    _Atomic uint64_t event_endpoint[STREAMS_ENDPOINT_SIZE / 8];
    _Atomic uint64_t heartbeat_count;
    _Atomic uint64_t missed_heartbeat_count;
    _Atomic int64_t last_heartbeat_ns;
    _Atomic int announced_origin; /* order_origin_t, see topic_t */
} channel_t;

typedef struct {
    bool connected;
    char endpoint[STREAMS_ENDPOINT_SIZE];
    char event_endpoint[STREAMS_ENDPOINT_SIZE];
    uint64_t heartbeat_count;        /* since it was connected */
    uint64_t missed_heartbeat_count; /* how many were due and did not come before the next one */
    int64_t last_heartbeat_ns;       /* CLOCK_REALTIME, or STREAMS_NEVER */
} channel_view_t;

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
    _Atomic uint64_t publisher_restart_count;
    _Atomic uint64_t byte_count;
    _Atomic int64_t last_event_ns;
    _Atomic int64_t last_resubscribed_ns;
    _Atomic int64_t callback_count; /* since it was subscribed */
    _Atomic bool callbacks_known;   /* it was subscribed since the agent came */

    _Atomic uint32_t port; /* of its event endpoint; 0 if not known */

    /* What the thread that sends an order says of it, for the consumer thread. */
    _Atomic int announced_origin; /* order_origin_t */
    _Atomic(channel_t *) announced_channel;

    /* The publisher sends no counters (see stream_pushed), so that losses can't be told. */
    _Atomic bool uncounted;

    /* The consumer thread's own. */
    bool has_counter;      /* an event came since it was subscribed */
    bool discarded_before; /* the event before was discarded */
    bool restart_expected; /* it was connected to another process than before */
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
    uint64_t publisher_restart_count;
    uint64_t byte_count;
    int64_t last_event_ns;
    int64_t last_resubscribed_ns;
} topic_view_t;

/* What the consumer thread is doing. */
typedef enum {
    CONSUMER_POLLING,   /* waiting for events and orders */
    CONSUMER_CALLBACKS, /* in the callbacks of an event */
    CONSUMER_ORDER      /* serving an order */
} consumer_state_t;

/* The consumer thread, as others may see it. Times are CLOCK_MONOTONIC_COARSE. */
typedef struct {
    _Atomic uint32_t sequence;
    _Atomic int32_t thread_id; /* the kernel's; 0: there is no consumer thread */
    _Atomic int state;
    _Atomic(topic_t *) topic; /* whose callbacks run */
    _Atomic int64_t since_ns;
    _Atomic int64_t longest_ns;
    _Atomic(topic_t *) longest_topic;
    _Atomic int64_t delay_count;      /* DELAY_EVENT orders without their RELEASE_EVENT */
    _Atomic int64_t delayed_since_ns; /* since when events wait */
} consumer_thread_t;

typedef struct {
    int32_t thread_id;
    consumer_state_t state;
    const topic_t *topic; /* in callbacks; else NULL */
    int64_t since_ns;
    int64_t longest_ns; /* the longest that callbacks of one event took so far, or take now */
    const topic_t *longest_topic; /* NULL if there were none */
    bool delayed;                 /* it serves orders only, and events wait, */
    int64_t delayed_since_ns;     /* since then */
} consumer_view_t;

typedef struct {
    table_t published; /* of stream_t */
    table_t topics;    /* of topic_t */
    table_t channels;  /* of channel_t */
    consumer_thread_t consumer;
    _Atomic uint64_t push_calls; /* of push_event that were given a number */
} streams_t;

void streams_init(streams_t *self);

/* Frees all; for tests. */
void streams_clear(streams_t *self);

/* The stream of that name (without IDL level); NULL if there is no room. */
stream_t *streams_published(streams_t *self, const char *name, size_t length);

/* cppTango has made a counter for the stream: somebody has subscribed to it. */
void stream_is_counted(stream_t *self);

/*
 * One event of the stream has been handed to ZeroMQ. The same counter again is a copy (for a new
 * subscriber, or on a second topic for clients of another IDL level) and isn't counted.
 *
 * Counter 0 means that cppTango has none for the stream: nobody ever subscribed to it; or, with
 * 9.3 and a server without a database, it keeps the counter under the stream's name without
 * "#dbase=no" and doesn't find it, so that all its events carry 0. Such events are counted by the
 * calls that push them.
 */
void stream_pushed(streams_t *streams, stream_t *self, uint32_t counter, push_call_t *call,
                   uint64_t bytes, int64_t now_ns);

/* Copies the stream's numbers. Returns false if nobody ever subscribed to it. */
bool stream_view(stream_t *self, stream_view_t *view);

/* The topic of that name (with IDL level); one that isn't known yet counts as subscribed, since it
   was subscribed before the agent came. NULL if there is no room. */
topic_t *streams_topic(streams_t *self, const char *name, size_t length);

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

/* A callback was added to the topic (1) or taken from it (-1); by any thread. */
void topic_callback_added(topic_t *self, int64_t change);

/* How many callbacks the topic has, or TOPIC_CALLBACKS_UNKNOWN. */
int64_t topic_callback_count(topic_t *self);

/*
 * The subscribed topic of a device's attribute (or pipe), by names without regard to case;
 * event_name with its IDL level, attribute "" for an event of the whole device. NULL if there is
 * none. If there are several (devices of one name, on several Tango hosts), it isn't known which
 * one is meant: NULL, and how many callbacks they have isn't known any more either.
 */
topic_t *streams_find_topic(streams_t *self, const char *device, const char *attribute,
                            const char *event_name);

/* The consumer thread, which is the caller, begins something else. topic: for callbacks. */
void consumer_enters(consumer_thread_t *self, consumer_state_t state, topic_t *topic,
                     int64_t now_ns);

/* Returns false if there is no consumer thread: this process has never subscribed. */
bool consumer_view(consumer_thread_t *self, consumer_view_t *view, int64_t now_ns);

/* A heartbeat of that topic has come. */
void streams_heartbeat(streams_t *self, const char *topic, size_t length, int64_t now_ns);

/*
 * Why an order is given. It doesn't say so itself, but the thread that sends it can be asked: a
 * client subscribes or unsubscribes, or Tango makes a channel that failed, and all its topics,
 * anew.
 */
typedef enum { ORDER_UNKNOWN, ORDER_OF_CLIENT, ORDER_OF_RECONNECTION } order_origin_t;

/*
 * This thread is about to send an order to the consumer thread. *channel: the channel that the
 * operation under way has connected; NULL at its beginning, set here. Returns the topic of a
 * CONNECT_EVENT, NULL for other orders.
 */
topic_t *streams_announce(streams_t *self, const wire_order_t *order, order_origin_t origin,
                          channel_t **channel);

/* The consumer thread has been given an order. */
void streams_order(streams_t *self, const wire_order_t *order, int64_t now_ns);

void channel_view(channel_t *self, channel_view_t *view);

#endif
