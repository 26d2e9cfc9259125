/*
 * consumer_thread: what the event consumer thread is doing, and since when.
 *
 * Written by that thread; readers may come from any thread at any time, also while it hangs.
 */
#ifndef STEM_AGENT_CONSUMER_THREAD_H
#define STEM_AGENT_CONSUMER_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/counts/topic.h"

/* What the consumer thread is doing. */
typedef enum {
    CONSUMER_POLLING,   /* waiting for events and control commands */
    CONSUMER_CALLBACKS, /* in the callbacks of an event */
    CONSUMER_CONTROL    /* executing a control command */
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
    _Atomic int64_t delay_count;      /* DELAY_EVENT commands without their RELEASE_EVENT */
    _Atomic int64_t delayed_since_ns; /* since when events wait */
} consumer_thread_t;

typedef struct {
    int32_t thread_id;
    consumer_state_t state;
    const topic_t *topic; /* in callbacks; otherwise NULL */
    int64_t since_ns;
    int64_t longest_ns; /* the longest that callbacks of one event took so far, or take now */
    const topic_t *longest_topic; /* NULL if there were none */
    bool delayed;                 /* it executes control commands only, and events wait, */
    int64_t delayed_since_ns;     /* since then */
} consumer_view_t;

/* The consumer thread, which is the caller, changes its state. topic: for callbacks. */
void consumer_enters(consumer_thread_t *self, consumer_state_t state, topic_t *topic,
                     int64_t now_ns);

/* Nothing was watched for a while: what it does isn't known, until it does something. By any
 * thread. */
void consumer_forget(consumer_thread_t *self);

/* Returns false if there is no consumer thread: this process has never subscribed. */
bool consumer_view(consumer_thread_t *self, consumer_view_t *view, int64_t now_ns);

/* From now on it executes control commands only, while events wait; or no longer. cppTango counts
 * the DELAYs in progress, and a RELEASE too many does nothing. */
void consumer_delay(consumer_thread_t *self, bool delay, int64_t now_ns);

#endif
