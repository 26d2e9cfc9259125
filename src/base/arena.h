/*
 * arena: memory for many small things that are freed together.
 */
#ifndef STEM_ARENA_H
#define STEM_ARENA_H

#include <stddef.h>

typedef struct arena arena_t;

/* chunk_size: how many bytes to request from the system at a time, once there are many. Never NULL.
 */
arena_t *arena_new(size_t chunk_size);

/* Frees all that arena_copy() gave, and sets *self to NULL; *self may be NULL. */
void arena_destroy(arena_t **self);

/* A copy of size bytes, followed by a NUL, aligned for any type. Lives as long as the arena. */
void *arena_copy(arena_t *self, const void *data, size_t size);

/* Of memory that it has requested. */
size_t arena_bytes(const arena_t *self);

#endif
