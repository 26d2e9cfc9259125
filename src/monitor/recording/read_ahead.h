/*
 * read_ahead: a thread that reads some items ahead, while the caller works on those before.
 *
 * Its memory is bounded: the thread begins another item only while all that it has made, and the
 * caller hasn't finished with, is few and small. Items come in the same order as without it.
 */
#ifndef STEM_READ_AHEAD_H
#define STEM_READ_AHEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "monitor/source.h"

typedef struct read_ahead read_ahead_t;

/* Items that are ahead, and from how many bytes of answers on no other one is begun. The one that
 * the caller works on is included in the bytes. */
enum { READ_AHEAD_ITEMS = 4 };
#define READ_AHEAD_BYTES ((size_t)8 << 20)

typedef struct {
    double part; /* of the source that was read, from 0 to 1 */
    size_t broken_lines;
} read_progress_t;

typedef struct {
    /* Yields the next item, as source_methods_t says. Called in the thread, until it returns false,
     * and then never again. */
    bool (*next)(void *context, source_item_t *item);
    /* How far it has come. Called in the thread, after each item. */
    read_progress_t (*progress)(void *context);
    void *context; /* the thread's, until read_ahead_destroy() */
} read_ahead_source_t;

/*
 * Begins to read. NULL if that would gain nothing, for now: all processors have such a thread, but
 * for the caller's, or none can be started.
 */
read_ahead_t *read_ahead_new(const read_ahead_source_t *source);

/* Ends the thread, after the item that it is reading, and frees all; sets *self to NULL, which it
 * may be. */
void read_ahead_destroy(read_ahead_t **self);

/* The next item, which is the caller's, and who has then finished with the one before. Returns as
 * the source's next(), and always false after its end. */
bool read_ahead_next(read_ahead_t *self, source_item_t *item);

/* How far the source had come with the item that was returned last; all 0 before the first. */
read_progress_t read_ahead_progress(const read_ahead_t *self);

/* Pretends that there are so many processors; 0: those that there are. For tests. */
void read_ahead_set_processors(size_t count);

#endif
