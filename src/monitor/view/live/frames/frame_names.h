/*
 * frame_names: the names in frames, each kept once for many frames.
 *
 * They come in generations: one grows with whatever names come, and once most of it is no longer
 * used, the maker of frames begins a new one. A frame holds the one that its names are in. So
 * memory stays in proportion to what frames show, whatever names hostile servers invent.
 *
 * Frames have nearly the same names in nearly the same order: each name is first looked for where
 * it comes behind the one before, which costs no more than comparing it.
 */
#ifndef STEM_FRAME_NAMES_H
#define STEM_FRAME_NAMES_H

#include <stddef.h>
#include <stdint.h>

typedef struct frame_names frame_names_t;

/* A name; all but the text belongs to the thread that makes frames. */
typedef struct frame_name {
    const char *text;          /* readable as long as the generation is held */
    uint64_t id;               /* hash of the text: the same in each generation */
    struct frame_name *stream; /* of a topic; NULL: not asked yet */
    size_t used;               /* the last frame that has it */
    size_t at;                 /* where it was asked for last, in the order of its frame */
    size_t place;              /* its maker's: in that frame */
} frame_name_t;

/* None yet; one reference, the caller's. Never NULL. */
frame_names_t *frame_names_new(void);

/* One more reference; returns self. Any thread. */
frame_names_t *frame_names_share(frame_names_t *self);

/* Gives a reference back, frees it with the last one, and sets *self to NULL; *self may be NULL.
 * Any thread. */
void frame_names_release(frame_names_t **self);

/* ---- for the thread that makes frames ---- */

/* The name of that text for the frame of that number, from 1 on. Never NULL. */
frame_name_t *frame_names_find(frame_names_t *self, const char *text, size_t frame);

/* The name of a topic's stream; likewise. */
frame_name_t *frame_names_stream_of(frame_names_t *self, frame_name_t *topic, size_t frame);

/* How many bytes it takes, and how many of them are of names that this frame has. */
size_t frame_names_bytes(const frame_names_t *self);
size_t frame_names_used(const frame_names_t *self, size_t frame);

/* No name is looked up in it any more: only the texts are kept. */
void frame_names_seal(frame_names_t *self);

#endif
