/*
 * summary_json: what the summaries say, for programs.
 */
#ifndef STEM_SUMMARY_JSON_H
#define STEM_SUMMARY_JSON_H

#include <stdio.h>

#include "monitor/comparison.h"
#include "monitor/summary_options.h"

/*
 * Writes the numbers of a comparison as one JSON object on one line, without a line feed; its keys
 * are described in docs/monitor.md. What isn't known is null. With options->top, the streams of
 * that list instead of those of each server.
 */
void summary_json_write(FILE *out, const comparison_t *comparison, const snapshot_t *current,
                        const summary_options_t *options);

#endif
