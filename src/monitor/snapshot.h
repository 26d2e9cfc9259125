/*
 * snapshot: what all watched servers answered at one moment.
 *
 * A source (a live poll, a recording) makes snapshots and knows no sink; a sink (text,
 * recording) gets a snapshot and asks nobody for more.
 */
#ifndef STEM_SNAPSHOT_H
#define STEM_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "response/response.h"

/* One server's part: either response (and data) or error (with data, if that can't be read). */
typedef struct {
    char *server;         /* the admin device as the user may name it, e.g. "dserver/Pub/1" */
    char *data;           /* the answer as it came, NUL-terminated; NULL if there was none, or it
                             wasn't kept */
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

/*
 * The reply of a server, or NULL; place is where to look first. A server without a name has none.
 */
const reply_t *snapshot_find(const snapshot_t *self, const char *server, size_t place);

/* Takes a reply out and frees it. */
void snapshot_remove(snapshot_t *self, size_t place);

/* Whether any server has answered. */
bool snapshot_has_answer(const snapshot_t *self);

/* Frees a snapshot and all it owns, and sets *self to NULL; *self may be NULL. */
void snapshot_destroy(snapshot_t **self);

#endif
