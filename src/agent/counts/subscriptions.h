/*
 * subscriptions: the callbacks of each topic, and the subscriptions that Tango could not make yet
 * and keeps retrying.
 *
 * Updated by the threads that subscribe and unsubscribe; never used on an event's way, so there is
 * a lock. A topic's number of callbacks is an atomic in topic_t, which events may read.
 */
#ifndef STEM_AGENT_SUBSCRIPTIONS_H
#define STEM_AGENT_SUBSCRIPTIONS_H

#include <pthread.h>

#include "agent/counts/streams.h"

enum { SUBSCRIPTION_NAME_SIZE = 160 };

/* What a client subscribes to. Names longer than the buffers are truncated. */
typedef struct {
    char device[SUBSCRIPTION_NAME_SIZE]; /* "domain/family/member" */
    char attribute[SUBSCRIPTION_NAME_SIZE];
    char event_type[32]; /* without IDL level: "change" */
} subscription_target_t;

/* One that is not connected. */
typedef struct {
    subscription_target_t target;
    int64_t last_try_ns; /* CLOCK_REALTIME */
} not_connected_t;

/* A subscription, identified as for its client by Tango's event id, which is never reused. */
typedef struct subscription {
    struct subscription *next;
    int event_id;
    topic_t *topic;          /* NULL while it is not connected */
    uint32_t of_topic;       /* see topic_callback_added */
    not_connected_t *detail; /* if it is not, and there is memory */
} subscription_t;

typedef struct {
    pthread_mutex_t mutex;
    subscription_t *first; /* by event id */
    subscription_t *last;
    _Atomic bool watched; /* the functions that report them are hooked */
    _Atomic bool older;   /* there may be some from before the agent watched */
} subscriptions_t;

#define SUBSCRIPTIONS_INITIALIZER                                                                  \
    {                                                                                              \
        .mutex = PTHREAD_MUTEX_INITIALIZER                                                         \
    }

/* The subscription now has a callback at the topic; it may have been not connected before. */
void subscriptions_connected(subscriptions_t *self, int event_id, topic_t *topic);

/* It could not be made; Tango will try again. */
void subscriptions_not_connected(subscriptions_t *self, int event_id,
                                 const subscription_target_t *target, int64_t now_ns);

/* Tango retries to connect it; an unknown one is ignored. */
void subscriptions_tried_again(subscriptions_t *self, int event_id, int64_t now_ns);

/* Its client unsubscribed. An unknown id is ignored. */
void subscriptions_removed(subscriptions_t *self, int event_id);

/*
 * Those that are not connected, by event id, in a new array that the caller frees; NULL if there is
 * none. Sets *count.
 */
not_connected_t *subscriptions_list_not_connected(subscriptions_t *self, size_t *count);

/* Nothing was watched for a while: nothing is known of them. */
void subscriptions_forget(subscriptions_t *self);

/* Frees everything; for tests. */
void subscriptions_clear(subscriptions_t *self);

/* In a child of the process: no other thread is using it. If one was, what it has is forgotten. */
void subscriptions_forked(subscriptions_t *self);

#endif
