/*
 * diagnosis_json: writes a diagnosis as one JSON object, on a line.
 */
#ifndef STEM_DIAGNOSIS_JSON_H
#define STEM_DIAGNOSIS_JSON_H

#include <stdio.h>

#include "monitor/view/diagnosis/diagnosis.h"

void diagnosis_json_write(FILE *out, const diagnosis_result_t *result, const fail_on_t *fail_on);

#endif
