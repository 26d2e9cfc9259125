#include "monitor/view/live/frames/frame.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/view/live/frames/frame_parts.h"

static frame_private_t *private_of(const frame_t *self)
{
    return (frame_private_t *)(uintptr_t)self;
}

const frame_t *frame_share(const frame_t *self)
{
    atomic_fetch_add_explicit(&private_of(self)->references, 1, memory_order_relaxed);
    return self;
}

static void free_list(const void *list)
{
    free((void *)(uintptr_t)list);
}

void frame_release(const frame_t **self)
{
    const frame_t *frame = *self;
    *self = NULL;
    if (!frame)
        return;
    frame_private_t *private = private_of(frame);
    if (atomic_fetch_sub_explicit(&private->references, 1, memory_order_acq_rel) > 1)
        return;
    free_list(frame->servers);
    free_list(frame->streams);
    free_list(frame->subscriptions);
    free_list(frame->channels);
    free_list(frame->not_connected);
    free_list(frame->findings);
    arena_destroy(&private->texts);
    frame_names_release(&private->names);
    free(private);
}

static int compare_id(const void *id, const void *stream)
{
    const uint64_t left = *(const uint64_t *)id;
    const uint64_t right = ((const frame_stream_t *)stream)->id;
    return left < right ? -1 : left > right;
}

size_t frame_find_stream(const frame_t *self, uint64_t id)
{
    if (self->stream_count == 0)
        return FRAME_NONE;
    const frame_stream_t *found =
        bsearch(&id, self->streams, self->stream_count, sizeof *self->streams, compare_id);
    return found ? (size_t)(found - self->streams) : FRAME_NONE;
}

size_t frame_find_server(const frame_t *self, uint64_t id)
{
    for (size_t i = 0; i < self->server_count; i++)
        if (self->servers[i].id == id)
            return i;
    return FRAME_NONE;
}

size_t frame_find_finding(const frame_t *self, const char *identity)
{
    for (size_t i = 0; i < self->finding_count; i++)
        if (strcmp(self->findings[i].identity, identity) == 0)
            return i;
    return FRAME_NONE;
}
