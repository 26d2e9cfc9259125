/*
 * snapshot: what all watched servers answered at one moment.
 *
 * A source (a live poll, a recording) yields snapshots and knows no sink (see source.h).
 */
#ifndef STEM_SNAPSHOT_H
#define STEM_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/name_index.h"
#include "monitor/model/checks.h"
#include "response/response.h"

/* One server's part: either response (and data) or error (with data, if that can't be read). */
typedef struct {
    char *server; /* the admin device as the user may name it, e.g. "dserver/Pub/1" */
    char *data; /* the answer as received, NUL-terminated; NULL if there was none, or it wasn't kept
                 */
    size_t data_size;     /* its bytes, without the NUL */
    bool data_is_text;    /* data is a recording's copy of an answer that was not JSON */
    char *error;          /* one line: why there is no answer, or why it can't be read; or NULL */
    bool is_missing;      /* of a recording, with an error: what it has of the answer, if there was
                             one, can't be read, since something is missing before it */
    response_t *response; /* the answer, parsed; NULL if there is an error */
    double answered; /* when the answer arrived, in seconds of the CLOCK_MONOTONIC of whoever asked;
                        0: not known */
    struct timespec time; /* when this server was asked, if that isn't the snapshot's time (an
                             answer carried over from an earlier one); all 0 otherwise */
} reply_t;

typedef struct snapshot {
    struct timespec time; /* CLOCK_REALTIME, when the servers were asked */
    double asked;         /* the same moment by the clock of reply_t's answered; 0: not known */
    reply_t *replies;     /* one per server, in the order in which the user named them */
    size_t reply_count;
    name_index_t names; /* of all its replies, if it is one that replies are added to */
    checks_t checks;    /* what its source has tried out; of snapshots that go on to sinks only */
    bool is_recorded;   /* from a recording: it may be of another run than the previous one */
    bool is_part;       /* likewise: servers that it doesn't have are still watched, and come in
                           another one */
} snapshot_t;

/* A new snapshot with that many replies, all empty. Never NULL: aborts without memory. */
snapshot_t *snapshot_new(size_t reply_count);

/*
 * The reply of a server, or NULL; place is the index to try first. A server without a name has
 * none.
 */
const reply_t *snapshot_find(const snapshot_t *self, const char *server, size_t place);

/* Adds an empty reply of a server that has none, to a snapshot that began with none. */
reply_t *snapshot_add(snapshot_t *self, const char *server);

/* Removes a reply of a snapshot to which none was added, and frees it. */
void snapshot_remove(snapshot_t *self, size_t place);

/* Whether any server has answered. */
bool snapshot_has_answer(const snapshot_t *self);

/* Frees a snapshot and all it owns, and sets *self to NULL; *self may be NULL. */
void snapshot_destroy(snapshot_t **self);

#endif
