/*
 * source: where snapshots come from: servers that are polled, or a recording. It knows no sink.
 *
 * A source is a struct that begins with a source_t. Methods that it doesn't need are NULL.
 */
#ifndef STEM_SOURCE_H
#define STEM_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/model/snapshot.h"

/* The next item; each of snapshot, remark and note may be NULL. */
typedef struct {
    snapshot_t *snapshot; /* or NULL */
    char *remark;         /* of a recording: a line without a snapshot that says what is missing, as
                             JSON, with its line feed; or NULL */
    size_t remark_size;
    char *note;   /* for the user: what is missing or can't be read; or NULL */
    bool damaged; /* the source itself is damaged; it isn't a gap that the recorder reported */
} source_item_t;

/* Frees what an item owns and empties it. */
void source_item_clear(source_item_t *item);

typedef struct source source_t;

typedef struct {
    /* Gets the next item, which is the caller's: source_item_clear(). False at the end, perhaps
     * with a last note. */
    bool (*next)(source_t *self, source_item_t *item);
    /* Whether the source couldn't provide what was asked for; cut_short: the run ended early. */
    bool (*is_in_vain)(const source_t *self, bool cut_short);
    /* Switches the servers' performance monitoring on or off. False if that failed: the user was
     * told. */
    bool (*set_perf)(source_t *self, bool perf);
    /* Whether snapshots have the answers' texts from now on. */
    void (*keep_texts)(source_t *self, bool keeps);
    /* Stops what it started in servers. False if that failed; may be called again if it was
     * interrupted by a signal to stop. */
    bool (*stop)(source_t *self);
    /* Frees it and sets *self to NULL. */
    void (*destroy)(source_t **self);
} source_methods_t;

struct source {
    const source_methods_t *methods;
    int64_t period_ns;     /* from one snapshot to the next; 0: as fast as they can be had */
    const char *unstopped; /* what to say when there is no time for stop() any more */
};

#endif
