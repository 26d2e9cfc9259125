/*
 * streams: all that is counted: the event streams that this process publishes, the topics that it
 * has subscribed to, the event channels they come through, and the thread that receives them.
 *
 * Readers may come from any thread at any time: each entry is a sequence lock, so a reader gets
 * numbers that belong together and no writer ever waits.
 */
#ifndef STEM_AGENT_STREAMS_H
#define STEM_AGENT_STREAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/channel.h"
#include "agent/consumer_thread.h"
#include "agent/stream.h"
#include "agent/table.h"
#include "agent/topic.h"
#include "agent/wire.h"

/* At most so many streams, topics and channels each; what is beyond isn't counted, but its number
   is (see streams_t). */
enum { STREAMS_LIMIT = 65536 };

/* A topic under which a published stream is sent: there is one for each IDL level of its clients.
 */
typedef struct {
    table_entry_t entry;        /* name: the topic, as it is sent */
    _Atomic(stream_t *) stream; /* NULL for a moment, while it is being added */
} pushed_topic_t;

typedef struct streams {
    table_t published;     /* of stream_t */
    table_t pushed_topics; /* of pushed_topic_t, so that a stream is found without taking its name
                              apart */
    table_t topics;        /* of topic_t */
    table_t channels;      /* of channel_t */
    consumer_thread_t consumer;
    _Atomic uint64_t push_calls; /* of push_event that were given a number */
} streams_t;

void streams_init(streams_t *self);

/* Frees all; for tests. */
void streams_clear(streams_t *self);

/* The stream of that name (without IDL level); NULL if there is no room. */
stream_t *streams_published(streams_t *self, const char *name, size_t length);

/*
 * The stream that is sent under a topic; NULL if that is no topic of an event (a heartbeat, or
 * something else), or if there is no room.
 */
stream_t *streams_pushed_as(streams_t *self, const char *topic, size_t length);

/*
 * A client says that it still listens to a stream of a device's attribute (or pipe), by names
 * without regard to case; event_name with or without IDL level. Streams that aren't known are
 * passed over.
 */
void streams_confirmed(streams_t *self, const char *device, const char *attribute,
                       const char *event_name, int64_t now_ns);

/* The topic of that name, or NULL if there has been no event of it yet. */
topic_t *streams_known_topic(streams_t *self, const char *name, size_t length);

/* The topic of that name (with IDL level); one that isn't known yet counts as subscribed, since it
   was subscribed before the agent came. NULL if there is no room. */
topic_t *streams_topic(streams_t *self, const char *name, size_t length);

/*
 * The subscribed topic of a device's attribute (or pipe), by names without regard to case;
 * event_name with its IDL level, attribute "" for an event of the whole device. NULL if there is
 * none. If there are several (devices of one name, on several Tango hosts), it isn't known which
 * one is meant: NULL, and how many callbacks they have isn't known any more either.
 */
topic_t *streams_find_topic(streams_t *self, const char *device, const char *attribute,
                            const char *event_name);

/* A heartbeat of that topic has come. */
void streams_heartbeat(streams_t *self, const char *topic, size_t length, int64_t now_ns);

/*
 * This thread is about to send an order to the consumer thread. *channel: the channel that the
 * operation under way has connected; NULL at its beginning, set here. Returns the topic of a
 * CONNECT_EVENT, NULL for other orders.
 */
topic_t *streams_announce(streams_t *self, const wire_order_t *order, order_origin_t origin,
                          channel_t **channel);

/* The consumer thread has been given an order. */
void streams_order(streams_t *self, const wire_order_t *order, int64_t now_ns);

#endif
