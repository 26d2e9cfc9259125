/*
 * summary_json: the summaries as JSON, for programs.
 */
#ifndef STEM_SUMMARY_JSON_H
#define STEM_SUMMARY_JSON_H

#include <stdio.h>

#include "monitor/view/shown.h"
#include "monitor/view/summary_options.h"

/*
 * Writes the numbers of a comparison as one JSON object on one line, without a line feed; its keys
 * are described in docs/monitor.md. What isn't known is null. With options->top, the streams of
 * that list instead of those of each server.
 */
void summary_json_write(FILE *out, const shown_t *shown, const snapshot_t *current,
                        const summary_options_t *options);

#endif
