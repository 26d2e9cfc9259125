#include "base/name_set.h"

#include <stdlib.h>

#include "base/memory.h"

/* FNV-1a; the NUL at the end counts, too, so that "ab", "c" isn't "a", "bc". */
uint64_t name_set_hash(uint64_t before, const char *text)
{
    uint64_t hash = before ^ UINT64_C(14695981039346656037);
    do
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    while (*text++);
    return hash == 0 ? 1 : hash;
}

/* The place of a hash, or the free place for it: there always is one. */
static size_t place_of(const name_set_t *self, uint64_t hash)
{
    size_t place = (size_t)(hash ^ hash >> 32) & (self->size - 1);
    while (self->hashes[place] != 0 && self->hashes[place] != hash)
        place = (place + 1) & (self->size - 1);
    return place;
}

static void grow(name_set_t *self)
{
    const name_set_t old = *self;
    self->size = old.size > 0 ? 2 * old.size : 1024;
    self->hashes = memory_new(self->size, sizeof *self->hashes);
    for (size_t i = 0; i < old.size; i++)
        if (old.hashes[i] != 0)
            self->hashes[place_of(self, old.hashes[i])] = old.hashes[i];
    free(old.hashes);
}

void name_set_add(name_set_t *self, uint64_t hash)
{
    if (self->count == NAME_SET_MAXIMUM || name_set_has(self, hash))
        return;
    if (2 * self->count >= self->size)
        grow(self);
    self->hashes[place_of(self, hash)] = hash;
    self->count++;
}

bool name_set_has(const name_set_t *self, uint64_t hash)
{
    return self->size > 0 && self->hashes[place_of(self, hash)] == hash;
}
