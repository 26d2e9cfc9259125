/*
 * name_set: a set of names that keeps only their hashes, in 8 to 32 bytes each.
 *
 * Two names with the same 64-bit hash count as one, and beyond NAME_SET_MAXIMUM names no more are
 * added: good enough for counts that need not be exact.
 */
#ifndef STEM_NAME_SET_H
#define STEM_NAME_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NAME_SET_MAXIMUM = 1 << 20 };

/* All 0 is an empty one. Free hashes with free(). */
typedef struct {
    uint64_t *hashes; /* 0: a free place */
    size_t size;      /* places; a power of two */
    size_t count;
} name_set_t;

/*
 * The hash of text, continuing the hash of what precedes it, or starting from any number. Never 0.
 */
uint64_t name_set_hash(uint64_t before, const char *text);

/* Adds a name, unless the set is full. */
void name_set_add(name_set_t *self, uint64_t hash);

bool name_set_has(const name_set_t *self, uint64_t hash);

#endif
