/*
 * frame_making: a frame that is being made; for frame_maker.c and frame_findings.c.
 */
#ifndef STEM_FRAME_MAKING_H
#define STEM_FRAME_MAKING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/vector.h"
#include "monitor/analysis/observation.h"
#include "monitor/view/live/frames/frame_parts.h"

typedef struct {
    const observation_t *observation;
    frame_private_t *frame;
    size_t mark; /* of the names that it has */
    frame_server_t *servers;
    frame_server_t **servers_by_name;
    vector_t streams; /* frame_stream_t; by id once subscriptions are matched with them */
    vector_t gone;    /* frame_name_t *: streams that some server had, and has no longer */
    vector_t subscriptions;
    vector_t channels;
    vector_t not_connected;
    vector_t findings;
} making_t;

/* A text that is likely to be in the next frames, too: shared with them. NULL for NULL. */
const char *making_name(making_t *self, const char *text);

/* A copy that lives as long as the frame. */
const void *making_copy(making_t *self, const void *data, size_t size);

/* Whether the frame has a stream of that name, at name->place until streams are sorted. */
bool making_has_stream(const making_t *self, const frame_name_t *name);

/* The index of a server; FRAME_NONE: there is none of that name, which may be NULL. */
size_t making_find_server(const making_t *self, const char *name);

#endif
