/*
 * report_json: a report as one JSON object, for programs; docs/report.md has its keys.
 */
#ifndef STEM_REPORT_JSON_H
#define STEM_REPORT_JSON_H

#include <stdio.h>

#include "monitor/view/report/collect/report.h"

/* Without a line feed. */
void report_json_write(FILE *out, const report_t *self);

#endif
