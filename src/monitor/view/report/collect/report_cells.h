/*
 * report_cells: a histogram over time: how many events took how long, in each column of time. Only
 * what isn't 0 takes memory.
 *
 * Each power of two nanoseconds from 2^10 (a microsecond) to 2^38 (275 s) is divided into 4 equal
 * parts; bucket 0 has everything shorter (also negative), the last one everything longer.
 */
#ifndef STEM_REPORT_CELLS_H
#define STEM_REPORT_CELLS_H

#include <stddef.h>
#include <stdint.h>

#include "response/response.h"

enum { REPORT_BUCKETS = (38 - 10) * 4 + 2 };

typedef struct {
    uint16_t column;
    uint8_t bucket;
    uint32_t count; /* stops at its maximum */
} report_cell_t;

/* All 0: none. */
typedef struct {
    report_cell_t *list; /* by column, then bucket */
    size_t count;
    size_t capacity;
} report_cells_t;

/* The bucket of a duration, and its bounds: 0 and INFINITY at the ends. */
size_t report_bucket_of(double seconds);
void report_bucket_bounds(size_t bucket, double *from_seconds, double *below_seconds);

/* Adds events; column is the last one so far, or later. */
void report_cells_add(report_cells_t *self, size_t column, size_t bucket, int64_t count);

/* Joins pairs of columns. */
void report_cells_fold(report_cells_t *self);

/* Makes a column the last one: what is in later ones is moved into it. */
void report_cells_end(report_cells_t *self, size_t column);

/* Drops so many columns at the beginning. */
void report_cells_drop(report_cells_t *self, size_t columns);

void report_cells_clear(report_cells_t *self);

#endif
