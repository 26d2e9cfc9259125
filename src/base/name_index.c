#include "base/name_index.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/name_set.h"

struct name_entry {
    uint64_t hash; /* 0: a free entry */
    const char *name;
    size_t place;
};

/* The entry of a name, or the free one for it: there always is one. */
static name_entry_t *entry_of(const name_index_t *self, uint64_t hash, const char *name)
{
    size_t at = (size_t)(hash ^ hash >> 32) & (self->size - 1);
    while (self->entries[at].hash != 0 &&
           (self->entries[at].hash != hash || strcmp(self->entries[at].name, name) != 0))
        at = (at + 1) & (self->size - 1);
    return &self->entries[at];
}

size_t name_index_find(const name_index_t *self, const char *name)
{
    if (self->count == 0)
        return NAME_INDEX_NONE;
    const name_entry_t *found = entry_of(self, name_set_hash(0, name), name);
    return found->hash != 0 ? found->place : NAME_INDEX_NONE;
}

static void grow(name_index_t *self)
{
    const name_index_t old = *self;
    self->size = old.size > 0 ? 2 * old.size : 64;
    self->entries = memory_new(self->size, sizeof *self->entries);
    for (size_t i = 0; i < old.size; i++)
        if (old.entries[i].hash != 0)
            *entry_of(self, old.entries[i].hash, old.entries[i].name) = old.entries[i];
    free(old.entries);
}

void name_index_add(name_index_t *self, const char *name, size_t place)
{
    if (2 * self->count >= self->size)
        grow(self);
    const uint64_t hash = name_set_hash(0, name);
    *entry_of(self, hash, name) = (name_entry_t){.hash = hash, .name = name, .place = place};
    self->count++;
}

void name_index_clear(name_index_t *self)
{
    free(self->entries);
    *self = (name_index_t){0};
}
