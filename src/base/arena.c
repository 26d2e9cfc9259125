#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

typedef struct chunk {
    struct chunk *next;
    alignas(max_align_t) char bytes[];
} chunk_t;

/* Chunks begin with that, and double: an arena of a few bytes takes few. */
enum { SMALLEST_CHUNK = 256 };

struct arena {
    size_t chunk_size; /* of the largest that is requested in advance */
    size_t next_size;
    size_t bytes;
    chunk_t *chunks;
    char *free; /* in the first chunk */
    size_t left;
};

arena_t *arena_new(size_t chunk_size)
{
    arena_t *self = memory_new(1, sizeof *self);
    self->chunk_size = chunk_size;
    self->next_size = chunk_size < SMALLEST_CHUNK ? chunk_size : SMALLEST_CHUNK;
    self->bytes = sizeof *self;
    return self;
}

void arena_destroy(arena_t **self)
{
    arena_t *arena = *self;
    if (!arena)
        return;
    while (arena->chunks) {
        chunk_t *chunk = arena->chunks;
        arena->chunks = chunk->next;
        free(chunk);
    }
    free(arena);
    *self = NULL;
}

static void add_chunk(arena_t *self, size_t needed)
{
    const size_t capacity = needed > self->next_size ? needed : self->next_size;
    chunk_t *chunk = memory_resize(NULL, 1, sizeof *chunk + capacity);
    chunk->next = self->chunks;
    self->chunks = chunk;
    self->free = chunk->bytes;
    self->left = capacity;
    self->bytes += sizeof *chunk + capacity;
    self->next_size =
        self->next_size < self->chunk_size / 2 ? 2 * self->next_size : self->chunk_size;
}

void *arena_copy(arena_t *self, const void *data, size_t size)
{
    const size_t alignment = alignof(max_align_t);
    const size_t needed = (size + 1 + alignment - 1) / alignment * alignment;
    if (needed > self->left)
        add_chunk(self, needed);
    char *copy = self->free;
    self->free += needed;
    self->left -= needed;
    memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

size_t arena_bytes(const arena_t *self)
{
    return self->bytes;
}
