/*
 * metrics_publishers: the label of the publisher at the other end of an event channel. A watched
 * one has the name that it has in all of its own series, so that the two can be joined, however its
 * subscribers spell it.
 */
#ifndef STEM_METRICS_PUBLISHERS_H
#define STEM_METRICS_PUBLISHERS_H

#include "monitor/model/snapshot.h"

typedef struct metrics_publishers metrics_publishers_t;

/* Of a snapshot, which must live as long. Never NULL. */
metrics_publishers_t *metrics_publishers_new(const snapshot_t *snapshot);

/* Frees it and sets *self to NULL; *self may be NULL. */
void metrics_publishers_destroy(metrics_publishers_t **self);

/*
 * The watched server that a channel is named after; if there is none, or more than one, the
 * channel's name. NULL for NULL. Valid as long as self and the channel's name.
 */
const char *metrics_publishers_name(metrics_publishers_t *self, const char *channel);

#endif
