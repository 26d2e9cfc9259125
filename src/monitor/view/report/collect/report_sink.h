/*
 * report_sink: observations, collected into a report, which is written at the end.
 */
#ifndef STEM_REPORT_SINK_H
#define STEM_REPORT_SINK_H

#include <stdbool.h>

#include "monitor/sink.h"
#include "monitor/view/report/collect/report.h"

/* Called once, when the recordings have ended and the report is settled. Returns as a sink's end().
 */
typedef sink_result_t (*report_write_t)(void *context, const report_t *report, char **error);

/* Fills the report, which stays the caller's and has to live as long. Never NULL. */
sink_t *report_sink_new(report_t *report, report_write_t write, void *context);

#endif
