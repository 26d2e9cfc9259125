/*
 * csv_series: a table of what changed at each poll, row by row while a recording is read: time,
 * server, stream, what, value; docs/report.md has what there is.
 *
 * Values are what was counted since the server's previous answer: nothing in its first one. What
 * isn't 0 has a row.
 */
#ifndef STEM_CSV_SERIES_H
#define STEM_CSV_SERIES_H

#include "monitor/analysis/observation.h"
#include "monitor/view/filter.h"
#include "monitor/view/report/tables/csv_file.h"

typedef struct csv_series csv_series_t;

/* Writes the heading. The file stays the caller's, and has to live as long; so do the filter's
 * patterns. Never NULL. */
csv_series_t *csv_series_new(csv_file_t *file, const filter_t *filter);

/* Frees it and sets *self to NULL; *self may be NULL. */
void csv_series_destroy(csv_series_t **self);

/* Writes a poll, which must have a comparison. */
void csv_series_add(csv_series_t *self, const observation_t *observation);

#endif
