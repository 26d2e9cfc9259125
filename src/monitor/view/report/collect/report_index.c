#include <stdlib.h>

#include "base/memory.h"
#include "monitor/view/report/collect/report_parts.h"

enum { INDEX_SIZE = 64 };

static size_t first_place(const report_index_t *self, uint64_t hash)
{
    return (size_t)(hash ^ hash >> 32) & (self->size - 1);
}

static void put(report_index_t *self, report_place_t place)
{
    size_t at = first_place(self, place.hash);
    while (self->list[at].value != 0)
        at = (at + 1) & (self->size - 1);
    self->list[at] = place;
}

void report_index_add(report_index_t *self, uint64_t hash, size_t value)
{
    if (self->count * 2 >= self->size) {
        const report_index_t old = *self;
        self->size = old.size > 0 ? 2 * old.size : INDEX_SIZE;
        self->list = memory_new(self->size, sizeof *self->list);
        for (size_t i = 0; i < old.size; i++)
            if (old.list[i].value != 0)
                put(self, old.list[i]);
        free(old.list);
    }
    put(self, (report_place_t){.hash = hash, .value = value + 1});
    self->count++;
}

size_t report_index_next(const report_index_t *self, uint64_t hash, size_t *at)
{
    if (self->size == 0)
        return REPORT_NONE;
    *at = *at == REPORT_NONE ? first_place(self, hash) : (*at + 1) & (self->size - 1);
    while (self->list[*at].value != 0 && self->list[*at].hash != hash)
        *at = (*at + 1) & (self->size - 1);
    return self->list[*at].value == 0 ? REPORT_NONE : self->list[*at].value - 1;
}

void report_index_clear(report_index_t *self)
{
    free(self->list);
    *self = (report_index_t){0};
}
