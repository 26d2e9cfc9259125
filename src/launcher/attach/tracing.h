/*
 * tracing: stops a thread of another process for a moment.
 *
 * It is done in a thread of our own, and only that is the tracer: if the other one doesn't stop (it
 * may hang in a disk, or in a driver), it ends, and the kernel takes everything back. The same
 * happens if we are killed: whatever the moment, the other thread goes on with the registers that
 * it has then. Signals wait meanwhile: Ctrl-Z would stop both for as long as we are stopped.
 */
#ifndef LAUNCHER_TRACING_H
#define LAUNCHER_TRACING_H

#include <stdbool.h>
#include <sys/types.h>

typedef enum {
    TRACING_DONE,
    TRACING_FORBIDDEN, /* not allowed, or somebody else traces it */
    TRACING_GONE,      /* there is no such thread (any more) */
    TRACING_BUSY,      /* it had a signal to take, or is stopped; it does that now */
    TRACING_STUCK,     /* it didn't stop in time */
    TRACING_FAILED     /* no thread of our own */
} tracing_result_t;

/* Called while the thread is stopped; it is let go afterwards. */
typedef void tracing_action_t(pid_t thread, void *data);

/* stopped_us: how long it took from asking it to stop until letting it go. */
tracing_result_t tracing_stop(pid_t thread, tracing_action_t *action, void *data,
                              double *stopped_us);

#endif
