/*
 * diagnosis_junit: writes a diagnosis as JUnit XML, with a test case for each rule, for the
 * reports of GitLab and Jenkins. It is valid against the schema of Jenkins' xUnit plugin.
 */
#ifndef STEM_DIAGNOSIS_JUNIT_H
#define STEM_DIAGNOSIS_JUNIT_H

#include <stdio.h>

#include "monitor/view/diagnosis/diagnosis.h"

void diagnosis_junit_write(FILE *out, const diagnosis_result_t *result, const fail_on_t *fail_on);

#endif
