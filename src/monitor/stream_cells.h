/*
 * stream_cells: names, rates and durations of streams, as tables show them.
 */
#ifndef STEM_STREAM_CELLS_H
#define STEM_STREAM_CELLS_H

#include "monitor/comparison.h"
#include "monitor/text_table.h"

/* The "tango://host:port/" that all names of streams begin with, or NULL; the caller frees it. */
char *stream_cells_prefix(const comparison_t *comparison);

/* A name without such a prefix (NULL: none). */
const char *stream_cells_short_name(const char *prefix, const char *name);

/* Adds a cell with a rate in 1/s; NAN: not known. */
void stream_cells_rate(text_table_t *table, double rate);

/* Adds a cell with a duration in microseconds; NAN: not known. */
void stream_cells_micros(text_table_t *table, double micros);

#endif
