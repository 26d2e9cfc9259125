/*
 * streams: everything that is counted: the event streams that this process publishes, the topics
 * that it has subscribed to, their event channels, and the thread that receives them.
 *
 * Any thread may read at any time: each entry is a sequence lock, so a reader gets consistent
 * numbers and no writer ever waits.
 */
#ifndef STEM_AGENT_STREAMS_H
#define STEM_AGENT_STREAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/counts/channel.h"
#include "agent/counts/consumer_thread.h"
#include "agent/counts/stream.h"
#include "agent/counts/table.h"
#include "agent/counts/topic.h"
#include "agent/tango/wire.h"

enum {
    /* The maximum of streams, topics and channels each; further ones aren't counted, but their
     * number is (see streams_t). */
    STREAMS_LIMIT = 65536,
    /* The maximum of topics, and of channels, that are assumed to be subscribed because an event or
     * a heartbeat arrived; see streams_topic(). */
    STREAMS_ADOPTED_LIMIT = 16384,
    STREAMS_HOSTS = 8 /* the maximum of Tango hosts that are distinguished */
};

/* A topic under which a published stream is sent: one for each IDL level of its clients. */
typedef struct {
    table_entry_t entry;        /* name: the topic, as it is sent */
    _Atomic(stream_t *) stream; /* NULL for a moment while it is being added */
} pushed_topic_t;

/* A Tango host, as the beginning of a topic's name has it: "tango://host:port/". */
typedef struct {
    const table_entry_t *topic;
    size_t length;
} streams_host_t;

typedef struct {
    published_t published;
    table_t pushed_topics; /* of pushed_topic_t, to find a stream without parsing its name */
    table_t topics;        /* of topic_t */
    table_t channels;      /* of channel_t */
    consumer_thread_t consumer;
    _Atomic uint64_t unknown_topic_count; /* of events whose topic nobody subscribed to */

    /* Set before anything is counted. */
    bool several_hosts; /* Tango knows several Tango hosts: see streams_topic() */

    /* The consumer thread's own. */
    bool client_connected; /* a client's CONNECT_EVENT was seen */
    size_t adopted_count;
    size_t adopted_channel_count;
    streams_host_t hosts[STREAMS_HOSTS]; /* those of the subscribed topics */
    size_t host_count;
} streams_t;

void streams_init(streams_t *self);

/*
 * The agent begins to watch in a process that may have published and subscribed before; or it does
 * so again after a time in which it has watched nothing: what was counted is forgotten, and
 * streams, topics and channels are added again with their next event or heartbeat. By one thread at
 * a time, while nothing is hooked.
 */
void streams_join_late(streams_t *self);

/* Frees everything; for tests. */
void streams_clear(streams_t *self);

/* The stream of that name (without IDL level); NULL if the table is full. */
stream_t *streams_published(streams_t *self, const char *name, size_t length);

/*
 * The stream that is sent under a topic; NULL if that isn't the topic of an event (a heartbeat, or
 * something else), or if the table is full.
 */
stream_t *streams_pushed_as(streams_t *self, const char *topic, size_t length);

/*
 * A client confirms its subscription to a stream of a device's attribute (or pipe); names are
 * compared ignoring case; event_name with or without IDL level. Unknown streams are ignored.
 */
void streams_confirmed(streams_t *self, const char *device, const char *attribute,
                       const char *event_name, int64_t now_ns);

/* The topic of that name, or NULL if it isn't known yet. */
topic_t *streams_known_topic(streams_t *self, const char *name, size_t length);

/*
 * The topic of an event that arrived under that name (with IDL level); NULL if it isn't subscribed
 * to, which is counted. By the consumer thread.
 *
 * ZeroMQ delivers everything that begins with the name of a subscribed topic, so a publisher may
 * send any number of names: unknown ones aren't added. There are two exceptions. An event may
 * belong to a subscription that is older than the agent: before the first client's CONNECT_EVENT
 * was seen, or if the agent has joined late. Its topic is adopted, if its name can't be made up:
 * see topic_name_is_subscribed(). And with several Tango hosts, a publisher older than Tango 9.3
 * sends under the name of its own host, while the topic has the name of the first one.
 */
topic_t *streams_topic(streams_t *self, const char *name, size_t length);

/*
 * The subscribed topic of a device's attribute (or pipe); names are compared ignoring case;
 * event_name with its IDL level, attribute "" for an event of the whole device. NULL if there is
 * none. If there are several (devices of the same name on several Tango hosts), it isn't known
 * which one is meant: NULL, and from then on the number of their callbacks isn't known either.
 */
topic_t *streams_find_topic(streams_t *self, const char *device, const char *attribute,
                            const char *event_name);

/* A heartbeat of that topic has arrived; see channel_heartbeat(). If the agent has joined
 * late, its channel is adopted as a topic is. */
void streams_heartbeat(streams_t *self, const char *topic, size_t length, int64_t now_ns,
                       int64_t monotonic_ns);

/*
 * This thread is about to send a control command to the consumer thread. *channel: the channel that
 * the operation under way has connected; NULL at its beginning, set here. Returns the topic of a
 * CONNECT_EVENT, NULL for other commands.
 */
topic_t *streams_announce(streams_t *self, const wire_control_t *command, control_origin_t origin,
                          channel_t **channel);

/* The consumer thread could not do what a control command said. */
void streams_refused(streams_t *self, const wire_control_t *command);

/* The consumer thread has done what a control command said. */
void streams_executed(streams_t *self, const wire_control_t *command, int64_t now_ns);

#endif
