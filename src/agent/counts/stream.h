/*
 * stream: an event stream that this process publishes.
 *
 * Written by the thread that pushes (cppTango holds a mutex meanwhile); readers may come from any
 * thread at any time.
 */
#ifndef STEM_AGENT_STREAM_H
#define STEM_AGENT_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/counts/histogram.h"
#include "agent/counts/table.h"

/* A published stream. */
typedef struct {
    table_entry_t entry; /* name: "tango://host:port/domain/family/member/attr.change" */
    _Atomic uint32_t sequence;
    _Atomic bool counted; /* cppTango has a counter for it: it has or had a subscriber */
    _Atomic uint64_t pushed_event_count;
    _Atomic uint64_t byte_count;
    _Atomic int64_t last_event_ns;
    _Atomic int64_t last_subscription_ns;
    _Atomic uint32_t counter;          /* the last server counter that was sent */
    _Atomic bool uncountable;          /* see stream_view_t */
    _Atomic bool partial;              /* likewise */
    _Atomic bool forgotten;            /* what is here is from before stream_forget */
    _Atomic bool replaced;             /* cppTango counts under this name and sends under another */
    _Atomic(histogram_t *) push_times; /* NULL until one was sampled */

    /* The pushing thread's own. */
    bool has_counter;   /* it sent another counter than 0 */
    uint64_t last_call; /* the number of the call of push_event that sent its last event */
} stream_t;

/* Shared by all streams that this process publishes. */
typedef struct {
    table_t streams;             /* of stream_t */
    _Atomic uint64_t push_calls; /* of push_event that were given a number */

    /* Set before anything is counted: a stream's first subscription can't be watched. */
    bool starts_unwatched;
    /* Likewise: this libtango sends no counters without a database (9.3). */
    bool lacks_counters;

    /* There may be streams that had subscribers before the agent watched. */
    _Atomic bool joined_late;
} published_t;

/*
 * One call of ZmqEventSupplier::push_event, so that an event that it sends twice is counted once,
 * even without a server counter.
 */
typedef struct {
    bool watched;    /* calls are watched at all */
    bool counts;     /* the call's last argument: it is this one that counts the event */
    uint64_t number; /* 0 at its beginning; given by stream_pushed when it needs one */
} push_call_t;

typedef struct {
    /* It sends no counters, and it isn't known which of its messages are copies: neither
     * pushed_event_count nor byte_count is known. */
    bool uncountable;
    /* It had subscribers, or may have had, before the agent watched, and how many were pushed then
     * isn't known: it sends no counters, or nothing was pushed since. */
    bool partial;
    uint64_t pushed_event_count; /* since the stream's first subscription, or if partial, those that
                                  * the agent has seen */
    uint64_t byte_count;         /* of all frames of these events, each event once */
    int64_t last_event_ns;       /* CLOCK_REALTIME, or CLOCK_NEVER */
    /* When a client last subscribed or confirmed; CLOCK_NEVER if not known (before the agent was
     * loaded). */
    int64_t last_subscription_ns;
} stream_view_t;

/*
 * A client has subscribed to the stream (cppTango then creates a counter for it), or confirms its
 * subscription, which clients do every 200 s. By any thread.
 */
void stream_subscribed(stream_t *self, published_t *published, int64_t now_ns);

/* What is known of the stream's subscribers. */
typedef enum { LISTENERS_UNKNOWN, LISTENERS_NONE, LISTENERS_SOME } listeners_t;

/*
 * Whether the stream has subscribers, by cppTango's own rule: it stops pushing when nobody has
 * subscribed or confirmed for 600 s (EVENT_RESUBSCRIBE_PERIOD).
 */
listeners_t stream_listeners(const stream_view_t *view, int64_t now_ns);

/*
 * One event of the stream has been handed to ZeroMQ. The same counter again is a copy (for a new
 * subscriber) and isn't counted. Neither is the event of a call that isn't the counting one: it was
 * already sent by the previous call, and is sent again on a second topic for clients of another IDL
 * level, with the next counter.
 *
 * Counter 0 means that cppTango has no counter for the stream: nobody ever subscribed to it; or,
 * with 9.3 and a server without a database, the counter is stored under the stream's name without
 * "#dbase=no" and not found, so that all its events have 0. Such events are counted by the calls
 * that push them.
 */
void stream_pushed(stream_t *self, published_t *published, uint32_t counter, push_call_t *call,
                   uint64_t bytes, int64_t now_ns);

/* Nothing was watched for a while: with its next event the stream begins anew, as that of an agent
 * that was loaded late. By any thread. */
void stream_forget(stream_t *self);

/* Records how long push_event took for one event of the stream; by any thread. */
void stream_push_took(stream_t *self, int64_t duration_ns);

/* Copies the stream's numbers. Returns false if nobody ever subscribed to it. */
bool stream_view(stream_t *self, stream_view_t *view);

#endif
