/*
 * csv_tables: the tables that are written at the end, each from a settled report; docs/report.md
 * has their columns. The first row has the names of these.
 */
#ifndef STEM_CSV_TABLES_H
#define STEM_CSV_TABLES_H

#include "monitor/view/report/collect/report.h"
#include "monitor/view/report/tables/csv_file.h"

/* A row for each stream and server: who publishes it, who receives it, and how many. */
void csv_totals_write(csv_file_t *file, const report_t *report);

void csv_findings_write(csv_file_t *file, const report_t *report);
void csv_servers_write(csv_file_t *file, const report_t *report);
void csv_incidents_write(csv_file_t *file, const report_t *report);

#endif
