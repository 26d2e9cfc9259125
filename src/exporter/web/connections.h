/*
 * connections: who is connected to the web server, and whom to drop when they are too many or too
 * slow.
 *
 * Nobody is turned away for coming late: if there are too many, the address that has most of them
 * loses the one that has made no progress for longest: has begun no phase, and read nothing of an
 * answer. A client that asks and reads what it is answered always does; one that does nothing
 * doesn't.
 *
 * All functions may be called from any thread.
 */
#ifndef STEM_CONNECTIONS_H
#define STEM_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* What a connection is at, and for how long it may be. */
typedef enum {
    PHASE_IDLE,    /* between two requests, and at the first line of the next one */
    PHASE_REQUEST, /* sends a request; at first, with what TLS has to agree on */
    PHASE_WAIT,    /* its password is being checked, or the page written for it */
    PHASE_ANSWER,  /* reads the answer */
    PHASES
} phase_t;

typedef struct {
    size_t connections; /* how many there may be */
    size_t pages;       /* how many of them may be answered a page at a time */
    int64_t phase_ns[PHASES];
} connection_limits_t;

/* An address, as far as it tells one client from another: 16 bytes. */
typedef struct {
    unsigned char bytes[16];
} client_t;

typedef struct connections connections_t;
typedef struct connection connection_t;

/* Never NULL. */
connections_t *connections_new(const connection_limits_t *limits);

/* Frees it and sets *self to NULL; *self may be NULL. There must be no connections any more. */
void connections_destroy(connections_t **self);

/*
 * A new connection, with its socket, which is shut down when it is dropped: whoever reads from it
 * or writes to it fails then. Takes it out with connections_remove() before closing the socket.
 * Never NULL.
 */
connection_t *connections_add(connections_t *self, int fd, const struct sockaddr *address);
void connections_remove(connections_t *self, connection_t **connection);

/* It begins a phase. */
void connections_enter(connections_t *self, connection_t *connection, phase_t phase);

/* Its client has read a further part of an answer. */
void connections_note_progress(connections_t *self, connection_t *connection);

/* It begins to be answered a page, of metrics or of the last hour; until the next phase. */
void connections_enter_page(connections_t *self, connection_t *connection);

/* Whose connection it is. */
const client_t *connection_client(const connection_t *self);

/* Drops those that are in a phase for too long. */
void connections_drop_slow(connections_t *self);

#endif
