/*
 * stream_cells: names, rates and durations of streams, as tables show them.
 */
#ifndef STEM_STREAM_CELLS_H
#define STEM_STREAM_CELLS_H

#include "monitor/view/shown.h"
#include "monitor/view/text/text_table.h"
#include "monitor/view/text/value_text.h"

/* The "tango://host:port/" that all names of streams begin with, or NULL; the caller frees it. */
char *stream_cells_prefix(const shown_t *shown);

/* A name without that prefix (NULL: none). */
const char *stream_cells_short_name(const char *prefix, const char *name);

/* Adds a cell with a count, or a "-" if it is RESPONSE_UNKNOWN. */
void stream_cells_count(text_table_t *table, int64_t count);

/* Adds two columns, for a counter and its increase. */
void stream_cells_count_columns(text_table_t *table, const counter_t *counter, const char *heading);

/* Adds a cell with an increase; it is empty if there is none. */
void stream_cells_step(text_table_t *table, int64_t step);

/* The note below a table that has a number which the monitor derived. */
#define STREAM_CELLS_DERIVED VALUE_TEXT_MARK " derived from counters,"

/* Adds a cell with a number of lost events. */
void stream_cells_lost(text_table_t *table, int64_t lost, bool is_minimum, bool is_derived);

/* Adds a cell with a rate in 1/s; NAN: not known. */
void stream_cells_rate(text_table_t *table, double rate);

/* Adds two cells, with the median and the 99th percentile of durations, in microseconds. They are
 * empty without events, which is different from an unknown duration. */
void stream_cells_durations(text_table_t *table, const duration_t *duration);

#endif
