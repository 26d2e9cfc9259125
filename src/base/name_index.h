/*
 * name_index: finds the place of a name in somebody else's list, however long that is.
 */
#ifndef STEM_NAME_INDEX_H
#define STEM_NAME_INDEX_H

#include <stddef.h>
#include <stdint.h>

typedef struct name_entry name_entry_t;

/* All 0 is an empty one. */
typedef struct {
    name_entry_t *entries;
    size_t size; /* of the table; a power of two */
    size_t count;
} name_index_t;

/* What name_index_find() returns for a name that isn't there. */
#define NAME_INDEX_NONE SIZE_MAX

/* The place that a name was added with, or NAME_INDEX_NONE. */
size_t name_index_find(const name_index_t *self, const char *name);

/* Adds a name that isn't there. It isn't copied, and must live as long as the index. */
void name_index_add(name_index_t *self, const char *name, size_t place);

/* Frees what it owns, and empties it. */
void name_index_clear(name_index_t *self);

#endif
