/*
 * timeline: the frames of a run so far, from the thread that makes them to the one that shows them.
 *
 * It keeps a few numbers of each poll, some more of each stream, and whole frames within a budget
 * of memory: the newest ones, and, once something else is looked at, those around that.
 */
#ifndef STEM_TIMELINE_H
#define STEM_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "monitor/view/live/frames/frame.h"
#include "monitor/view/live/frames/trends.h"

/* What is kept of each poll, for the slider. */
typedef struct {
    struct timespec time;
    uint32_t failed;   /* servers */
    uint32_t findings; /* faults and warnings that last */
    int64_t new_losses;
    float push_rate;    /* 1/s, over all servers; NAN: not known */
    float receive_rate; /* likewise */
} timeline_mark_t;

typedef struct timeline timeline_t;

/* None yet. budget: bytes of frames. Never NULL. */
timeline_t *timeline_new(size_t budget);

/* Frees it and sets *self to NULL; *self may be NULL. Frames that were shared stay valid. */
void timeline_destroy(timeline_t **self);

/* ---- for the thread of the loop ---- */

/* The next poll of a run; its number is that of the frame, and may be known already, if a recording
 * is read once more. Takes the reference over. */
void timeline_add(timeline_t *self, const frame_t *frame);

/* Whether a poll is worth a frame: see timeline_want(). */
bool timeline_wants(timeline_t *self, size_t number);

/* ---- for the thread that shows them ---- */

/* How many polls there were so far. */
size_t timeline_count(timeline_t *self);

/* The frame of a poll, shared with the caller; NULL: it isn't kept. */
const frame_t *timeline_frame(timeline_t *self, size_t number);

/*
 * A number of a stream or server, by its id, in count polls up to and with `last` (SIZE_MAX: the
 * newest), oldest first; NAN where it isn't known. Much cheaper than asking frames.
 */
void timeline_trend(timeline_t *self, uint64_t id, trend_t kind, size_t last, double *values,
                    size_t count);

/*
 * Copies the marks of polls from number on, at most count; returns how many. After a very long run,
 * neighbours have the same mark: their maximum of failed and findings, their sum of losses.
 */
size_t timeline_marks(timeline_t *self, size_t number, timeline_mark_t *marks, size_t count);

/* From now on the frames around that poll are kept first; SIZE_MAX: the newest. */
void timeline_want(timeline_t *self, size_t number);

#endif
