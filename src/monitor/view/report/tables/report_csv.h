/*
 * report_csv: what a recording says, as long tables, for spreadsheets, pandas, R and DuckDB;
 * docs/report.md has their columns.
 */
#ifndef STEM_REPORT_CSV_H
#define STEM_REPORT_CSV_H

#include "monitor/sink.h"
#include "monitor/view/report/collect/report.h"

/*
 * Writes tables into a directory, which is made if need be: what changed at each poll while it
 * goes on (series.csv), the rest at the end, from the report, which has to be filled by a sink
 * before this one. Both stay the caller's, and have to live as long. NULL if that fails: then
 * *error is one line, which the caller frees.
 */
sink_t *report_csv_new(const char *directory, report_t *report, const filter_t *filter,
                       char **error);

#endif
