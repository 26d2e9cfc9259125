/*
 * frame_parts: what a frame is made of beside what it shows; for frame.c and frame_maker.c.
 */
#ifndef STEM_FRAME_PARTS_H
#define STEM_FRAME_PARTS_H

#include <stdatomic.h>

#include "base/arena.h"
#include "monitor/view/live/frames/frame.h"
#include "monitor/view/live/frames/frame_names.h"

/* A frame that is its maker's still; its lists are those of the public part. */
typedef struct frame_private {
    frame_t frame; /* comes first */
    atomic_size_t references;
    frame_names_t *names; /* that its texts are in, if they are likely to come again */
    arena_t *texts;       /* all others, buckets and evidence */
} frame_private_t;

#endif
