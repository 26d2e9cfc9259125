#include "base/vector.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void *vector_add(vector_t *self)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : 16;
        self->items = memory_resize(self->items, self->capacity, self->item_size);
    }
    void *item = (char *)self->items + self->count++ * self->item_size;
    memset(item, 0, self->item_size);
    return item;
}

void *vector_take(vector_t *self, size_t *count)
{
    void *items = memory_resize(self->items, self->count ? self->count : 1, self->item_size);
    *count = self->count;
    *self = (vector_t){.item_size = self->item_size};
    return items;
}

static const char *name_of(const void *item)
{
    return *(char *const *)item;
}

static int compare_pointers(const void *a, const void *b)
{
    const void *left = *(void *const *)a;
    const void *right = *(void *const *)b;
    const int order = strcmp(name_of(left), name_of(right));
    return order != 0 ? order : left < right ? -1 : left > right;
}

void vector_sort_by_name(vector_t *self)
{
    const size_t size = self->item_size;
    bool sorted = true;
    for (size_t i = 1; i < self->count && sorted; i++) {
        const char *item = (char *)self->items + i * size;
        sorted = strcmp(name_of(item - size), name_of(item)) < 0;
    }
    if (sorted)
        return;
    char **order = memory_new(self->count, sizeof *order);
    for (size_t i = 0; i < self->count; i++)
        order[i] = (char *)self->items + i * size;
    qsort(order, self->count, sizeof *order, compare_pointers);
    char *items = memory_new(self->capacity, size);
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (i + 1 < self->count && strcmp(name_of(order[i]), name_of(order[i + 1])) == 0)
            continue;
        memcpy(items + kept++ * size, order[i], size);
    }
    free(order);
    free(self->items);
    self->items = items;
    self->count = kept;
}
