/*
 * diagnosis_junit: writes a diagnosis as JUnit XML, with a test case for each rule, for the
 * reports of GitLab and Jenkins. It is valid against the schemas of Ant's JUnit task and of
 * Jenkins' xUnit plugin; where they differ, it has what both allow.
 */
#ifndef STEM_DIAGNOSIS_JUNIT_H
#define STEM_DIAGNOSIS_JUNIT_H

#include <stdio.h>

#include "monitor/view/diagnosis/diagnosis.h"

void diagnosis_junit_write(FILE *out, const diagnosis_result_t *result, const fail_on_t *fail_on);

#endif
