/*
 * outlet: writes to a descriptor without waiting for its reader, which may not read.
 *
 * The monitor goes on polling and recording whether or not its output is read. Writing to a pipe
 * that nobody reads, or to a stopped terminal (Ctrl-S), would block, and O_NONBLOCK would affect
 * everybody who shares the pipe or terminal. So each outlet has a thread that writes.
 *
 * An outlet writes each block that it has accepted completely and in order, however long that
 * takes; one that failed (a full disk) is tried again when the next one comes. It refuses blocks
 * beyond its capacity. So a reader never gets half a block followed by another one.
 */
#ifndef STEM_OUTLET_H
#define STEM_OUTLET_H

#include <stdbool.h>
#include <stddef.h>

typedef struct outlet outlet_t;

/* Standard output and standard error may share an outlet; each kind has a capacity of its own. */
typedef enum { OUTLET_RESULT, OUTLET_MESSAGE, OUTLET_KINDS } outlet_kind_t;

typedef enum {
    OUTLET_IDLE,    /* all of it was written */
    OUTLET_PENDING, /* some of it wasn't yet */
    OUTLET_FAILING, /* some of it couldn't be written, so far; errno says why */
    OUTLET_CLOSED   /* the reader has gone, or its terminal. SIGPIPE has to be ignored */
} outlet_state_t;

/* How long the reader is still waited for once the monitor was told to stop. */
enum { OUTLET_GRACE_MS = 500 };

/*
 * An outlet for fd, which stays the caller's. other (may be NULL): an outlet that is returned
 * instead if both go to the same file, so that neither interrupts the other's output. Signals must
 * be blocked by now (signals.h). Never NULL.
 */
outlet_t *outlet_new(int fd, outlet_t *other);

/*
 * Frees it and sets *self to NULL; *self may be NULL. Pending blocks are lost. False if its thread
 * is blocked in a write: the thread is left running then, and fd has to stay open.
 */
bool outlet_destroy(outlet_t **self);

/*
 * Accepts a block for writing. False if others of its kind are pending and it would bring them
 * above capacity bytes, if the reader has gone, or if it is a terminal that wants no output of
 * background jobs. Frees data in any case. Waits a moment for the block to be written, so that
 * working outlets are written to in turn; hardly at all if the reader was slow before.
 */
bool outlet_put(outlet_t *self, outlet_kind_t kind, char *data, size_t size, size_t capacity);

/*
 * Waits until everything was written, or failed, for at most ms (-1: as long as it takes); once
 * stop_fd (-1: none) is readable, for at most OUTLET_GRACE_MS.
 */
outlet_state_t outlet_wait(outlet_t *self, int ms, int stop_fd);

/* The present state; with OUTLET_FAILING, errno says why. */
outlet_state_t outlet_state(outlet_t *self);

/* How many blocks are not completely written yet. */
size_t outlet_pending(outlet_t *self, outlet_kind_t kind);

#endif
