/*
 * published: what the watched servers have pushed so far, by the name of the stream, so that a
 * subscription can be compared with its publisher. Who subscribes to a stream is in subscribers.h.
 *
 * A publisher tells its subscribers how it names a stream (cppTango 9.3 and later; seen in 9.3.4
 * with TANGO_HOST spelled in five ways, without a database, and with several TANGO_HOSTs). So both
 * have the same name, in lower case, and ZeroMQ delivers nothing under any other: only a stream of
 * the same name is compared with a subscription.
 */
#ifndef STEM_PUBLISHED_H
#define STEM_PUBLISHED_H

#include <stdint.h>

#include "monitor/model/snapshot.h"

typedef struct published published_t;

/* No server has that index. */
#define PUBLISHED_BY_SEVERAL SIZE_MAX

typedef struct {
    const char *name; /* of the stream; owned by the snapshots */
    int64_t count; /* events pushed; RESPONSE_UNKNOWN: no answer says, or two servers push a stream
                      of that name, or did when they last answered */
    uint64_t process; /* which process pushes it; 0: the answer doesn't say */
    double answered;  /* when, as in reply_t; 0: not known */
    size_t server;    /* its server's index in the snapshot; PUBLISHED_BY_SEVERAL */
    const response_publisher_t *publisher; /* in its server's answer; NULL: not in this one, or of
                                              several */
} published_stream_t;

/* The streams of a snapshot; previous has the last answer of each server before it, or is NULL.
 * Both must live as long. Never NULL. */
published_t *published_new(const snapshot_t *previous, const snapshot_t *current);

/* Frees it and sets *self to NULL; *self may be NULL. */
void published_destroy(published_t **self);

/* The stream of that name, which must be without IDL level; NULL if no server pushes it. */
const published_stream_t *published_find(const published_t *self, const char *name);

/*
 * The stream that a subscription is meant to be to, if no server pushes its own: the same one but
 * for the host's name (see names_are_same_but_host(); the port is the same), of the server that its
 * channel is named after. Nothing of it arrives. NULL if there is none, or more than one.
 */
const published_stream_t *published_find_respelled(const published_t *self, const char *topic,
                                                   const char *channel);

#endif
