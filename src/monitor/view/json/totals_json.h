/*
 * totals_json: the totals of a run as JSON, for programs.
 */
#ifndef STEM_TOTALS_JSON_H
#define STEM_TOTALS_JSON_H

#include <stddef.h>
#include <stdio.h>

#include "monitor/analysis/findings/findings.h"
#include "monitor/analysis/totals.h"
#include "monitor/view/filter.h"

/*
 * Writes the totals as one JSON object {"time": of the last snapshot, "totals": ...} without a line
 * feed; of all servers and streams, also those where nothing happened. left_out: summaries that
 * weren't shown, since nobody read them, say. findings: of the run, those that filter accepts; both
 * may be NULL.
 */
void totals_json_write(FILE *out, const totals_t *self, const findings_t *findings,
                       const filter_t *filter, size_t left_out);

#endif
