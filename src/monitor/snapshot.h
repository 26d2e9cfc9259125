/*
 * snapshot: what all watched servers answered at one moment.
 *
 * A source (a live poll; later a recording) makes snapshots and knows no sink; a sink (text,
 * recording) gets a snapshot and asks nobody for more.
 */
#ifndef STEM_SNAPSHOT_H
#define STEM_SNAPSHOT_H

#include <stddef.h>
#include <time.h>

#include "response/response.h"

/* One server's part: either data (and response, if it could be parsed) or error. */
typedef struct {
    char *server;         /* the admin device as the user may name it, e.g. "dserver/Pub/1" */
    char *data;           /* the answer as it came, NUL-terminated; NULL if there was none */
    size_t data_size;     /* its bytes, without the NUL */
    char *error;          /* one line: why there is no answer, or why it can't be read; or NULL */
    response_t *response; /* the answer, parsed; NULL if there is an error */
    double seconds;       /* how long the server took */
    struct timespec time; /* when this server was asked, where that isn't the snapshot's time (an
                             answer carried over from an earlier one); all 0 otherwise */
} reply_t;

typedef struct snapshot {
    struct timespec time; /* CLOCK_REALTIME, when the servers were asked */
    reply_t *replies;     /* one a server, in the order in which the user named them */
    size_t reply_count;
} snapshot_t;

/* A new snapshot with room for that many replies, all empty. Never NULL: aborts without memory. */
snapshot_t *snapshot_new(size_t reply_count);

/* Frees a snapshot and all it owns, and sets *self to NULL; *self may be NULL. */
void snapshot_destroy(snapshot_t **self);

#endif
