/*
 * writer: writes summaries to standard output, in whatever format.
 *
 * Nothing waits for its reader: a summary that nobody reads is left out as a whole, counted, and
 * reported in the next one that is printed. A summary that was begun is finished before another one
 * begins, so JSON stays JSON.
 */
#ifndef STEM_WRITER_H
#define STEM_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/outlet.h"
#include "monitor/sink.h"

/* The message when nobody reads summaries any more, and other sinks go on. */
#define WRITER_CLOSED "standard output: its reader has gone: no more summaries; recording goes on"

/* How much may wait for a slow reader, in bytes; a single summary may be larger. */
enum { WRITER_CAPACITY = 16384 };

/* Its users may read all members. */
typedef struct {
    outlet_t *outlet; /* of standard output; it stays the caller's */
    int stop_fd;      /* once it is readable, the reader is no longer waited for; see outlet.h */
    bool waits;       /* for its reader, rather than leave anything out */
    bool failing;     /* and that was said */
    bool unread;      /* and that was said */
    bool begun;       /* something was accepted */
    size_t left_out;  /* summaries since the last one that was accepted */
    size_t left_out_in_all;
    const char *left_out_why;
} writer_t;

/*
 * Writes text, and frees it. Text that would bring what waits for the reader above capacity bytes
 * is left out; SIZE_MAX: never.
 */
sink_result_t writer_put(writer_t *self, char *text, size_t size, size_t capacity, char **error);

/* Is a sink's finish(). */
sink_result_t writer_finish(writer_t *self, bool told, char **error);

#endif
