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
    size_t room;
    size_t item_size;
} vector_t;

/* A new item at the end, all 0. */
void *vector_add(vector_t *self);

/* Hands the items over to the caller, in as much memory as they need (never NULL), and how many. */
void *vector_take(vector_t *self, size_t *count);

/*
 * Puts items that begin with their name (a char *) into the order of their names; of equal names
 * the one that was added last stays.
 */
void vector_sort_by_name(vector_t *self);

#endif
