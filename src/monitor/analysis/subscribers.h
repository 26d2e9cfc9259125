/*
 * subscribers: which watched servers subscribe to a stream.
 */
#ifndef STEM_SUBSCRIBERS_H
#define STEM_SUBSCRIBERS_H

#include <stdbool.h>
#include <stddef.h>

#include "monitor/model/snapshot.h"

typedef struct subscribers subscribers_t;

/* One subscription of a watched server. */
typedef struct {
    size_t server; /* its index in the snapshot */
    const response_subscription_t *subscription;
} subscriber_t;

/* Those of a snapshot, which must live as long. Costs nothing until it is asked. Never NULL. */
subscribers_t *subscribers_new(const snapshot_t *snapshot);

/* Frees it and sets *self to NULL; *self may be NULL. */
void subscribers_destroy(subscribers_t **self);

/* The subscriptions to a stream under its own name, in the snapshot's order. NULL if there is none.
 * Valid as long as self. */
const subscriber_t *subscribers_find(subscribers_t *self, const char *stream, size_t *count);

/* The subscriptions of a server, by its index in the snapshot, that arrive on a channel; likewise.
 */
const subscriber_t *subscribers_of_channel(subscribers_t *self, size_t server, const char *channel,
                                           size_t *count);

#endif
