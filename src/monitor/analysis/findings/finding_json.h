/*
 * finding_json: findings as JSON, the same in the monitor's output and in recordings.
 */
#ifndef STEM_FINDING_JSON_H
#define STEM_FINDING_JSON_H

#include "base/json_output.h"
#include "monitor/analysis/findings/findings.h"

/* One finding as an object; docs/findings.md has its keys. */
void finding_json_write(json_output_t *json, const char *key, const finding_t *finding);

/* Its members, in an object that is open. */
void finding_json_write_members(json_output_t *json, const finding_t *finding);

#endif
