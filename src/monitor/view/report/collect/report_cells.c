#include "monitor/view/report/collect/report_cells.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* The first power of two nanoseconds that is told apart, and into how many parts each is divided.
 */
enum { FIRST_POWER = 10, PARTS = 4 };

size_t report_bucket_of(double seconds)
{
    const double first = ldexp(1e-9, FIRST_POWER);
    if (!(seconds >= first))
        return 0;
    int power = 0;
    const double fraction = frexp(seconds / first, &power); /* 0.5 to 1 */
    const double place = (power - 1) * PARTS + (fraction * 2 - 1) * PARTS;
    return place >= REPORT_BUCKETS - 2 ? REPORT_BUCKETS - 1 : 1 + (size_t)place;
}

void report_bucket_bounds(size_t bucket, double *from_seconds, double *below_seconds)
{
    const size_t place = bucket - 1;
    const double from = ldexp(1e-9, FIRST_POWER + (int)(place / PARTS));
    const size_t part = place % PARTS;
    *from_seconds = bucket == 0 ? 0 : from * (1 + (double)part / PARTS);
    *below_seconds = bucket == 0                    ? ldexp(1e-9, FIRST_POWER)
                     : bucket == REPORT_BUCKETS - 1 ? INFINITY
                                                    : from * (1 + (double)(part + 1) / PARTS);
}

static report_cell_t *cell_of(report_cells_t *self, size_t column, size_t bucket)
{
    size_t at = self->count;
    while (at > 0 && (self->list[at - 1].column > column ||
                      (self->list[at - 1].column == column && self->list[at - 1].bucket >= bucket)))
        at--;
    if (at < self->count && self->list[at].column == column && self->list[at].bucket == bucket)
        return &self->list[at];
    if (self->count == self->capacity) {
        self->capacity = self->capacity > 0 ? 2 * self->capacity : 8;
        self->list = memory_resize(self->list, self->capacity, sizeof *self->list);
    }
    memmove(self->list + at + 1, self->list + at, (self->count - at) * sizeof *self->list);
    self->count++;
    self->list[at] = (report_cell_t){.column = (uint16_t)column, .bucket = (uint8_t)bucket};
    return &self->list[at];
}

void report_cells_add(report_cells_t *self, size_t column, size_t bucket, int64_t count)
{
    if (count <= 0)
        return;
    report_cell_t *cell = cell_of(self, column, bucket);
    cell->count = count > UINT32_MAX - cell->count ? UINT32_MAX : cell->count + (uint32_t)count;
}

static void shrink(report_cells_t *self)
{
    if (self->count * 2 >= self->capacity)
        return;
    self->capacity = self->count > 0 ? self->count : 1;
    self->list = memory_resize(self->list, self->capacity, sizeof *self->list);
}

static int compare_cells(const void *a, const void *b)
{
    const report_cell_t *left = a;
    const report_cell_t *right = b;
    return left->column != right->column ? left->column - right->column
                                         : left->bucket - right->bucket;
}

/* Puts them in order again, and adds up those that are the same. */
static void join(report_cells_t *self)
{
    if (self->count == 0)
        return;
    qsort(self->list, self->count, sizeof *self->list, compare_cells);
    size_t kept = 0;
    for (size_t i = 1; i < self->count; i++) {
        if (compare_cells(&self->list[kept], &self->list[i]) != 0) {
            self->list[++kept] = self->list[i];
            continue;
        }
        uint32_t *count = &self->list[kept].count;
        const uint32_t more = self->list[i].count;
        *count = more > UINT32_MAX - *count ? UINT32_MAX : *count + more;
    }
    self->count = kept + 1;
    shrink(self);
}

void report_cells_fold(report_cells_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        self->list[i].column /= 2;
    join(self);
}

void report_cells_end(report_cells_t *self, size_t column)
{
    if (self->count == 0 || self->list[self->count - 1].column <= column)
        return;
    for (size_t i = 0; i < self->count; i++)
        if (self->list[i].column > column)
            self->list[i].column = (uint16_t)column;
    join(self);
}

void report_cells_drop(report_cells_t *self, size_t columns)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++)
        if (self->list[i].column >= columns) {
            self->list[kept] = self->list[i];
            self->list[kept++].column -= (uint16_t)columns;
        }
    self->count = kept;
    shrink(self);
}

void report_cells_clear(report_cells_t *self)
{
    free(self->list);
    *self = (report_cells_t){0};
}
