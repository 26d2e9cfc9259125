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

/*
 * The subscriptions to a stream, in the snapshot's order: those under its own name, which get its
 * events, and, if respelled, those that differ from it in the host's name only (see
 * names_are_same_but_host()). NULL if there is none. Valid until the next call.
 */
const subscriber_t *subscribers_find(subscribers_t *self, const char *stream, bool respelled,
                                     size_t *count);

#endif
