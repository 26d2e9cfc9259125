/*
 * trends: a few numbers of each stream and server of one poll, small enough to be kept for long.
 *
 * Nobody changes one any more; any thread may read it, for as long as it holds a reference. Those
 * of successive polls share the list of what they are about, as long as that stays the same.
 */
#ifndef STEM_TRENDS_H
#define STEM_TRENDS_H

#include <stddef.h>
#include <stdint.h>

/* See timeline_trend(). */
typedef enum {
    TREND_PUSH_RATE,    /* 1/s */
    TREND_RECEIVE_RATE, /* 1/s, of all of a stream's subscriptions */
    TREND_NEW_LOSSES,   /* since the previous answers */
    TREND_LATENCY,      /* seconds: as in frame_stream_t; of servers not known */
    TREND_PROCESSING,   /* likewise */
    TREND_KINDS
} trend_t;

struct frame;
typedef struct trends trends_t;

/* The numbers of a frame; before may be NULL: that of the poll before. One reference, the caller's.
 * Never NULL. */
trends_t *trends_new(const struct frame *frame, const trends_t *before);

/* One more reference; returns self. */
trends_t *trends_share(trends_t *self);

/* Gives a reference back, frees it with the last one, and sets *self to NULL; *self may be NULL. */
void trends_release(trends_t **self);

/* Of memory, without what it shares. */
size_t trends_bytes(const trends_t *self);

/*
 * A number of a stream or server; NAN: it isn't known. *place is where to look first, and where it
 * was found: begin with 0.
 */
double trends_value(const trends_t *self, uint64_t id, trend_t kind, size_t *place);

#endif
