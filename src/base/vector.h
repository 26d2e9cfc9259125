/*
 * vector: a list that grows. Items are plain memory of one size, and may move when one is added.
 */
#ifndef STEM_VECTOR_H
#define STEM_VECTOR_H

#include <stddef.h>

/* Set item_size; everything else begins as 0. Free items with free(). */
typedef struct {
    void *items;
    size_t count;
    size_t capacity;
    size_t item_size;
} vector_t;

/* A new item at the end, all 0. */
void *vector_add(vector_t *self);

/*
 * Hands the items over to the caller, in just as much memory as they need (never NULL), and *count.
 */
void *vector_take(vector_t *self, size_t *count);

/*
 * Sorts items that begin with their name (a char *) by name; of items with the same name, the one
 * added last is kept.
 */
void vector_sort_by_name(vector_t *self);

#endif
