/*
 * diagnosis_text: prints a diagnosis for people: the verdict in the first line, then what couldn't
 * be looked at, and each finding with its evidence and what to do.
 */
#ifndef STEM_DIAGNOSIS_TEXT_H
#define STEM_DIAGNOSIS_TEXT_H

#include <stdio.h>

#include "base/terminal.h"
#include "monitor/view/diagnosis/diagnosis.h"

void diagnosis_text_print(FILE *out, const diagnosis_result_t *result, const text_style_t *style);

#endif
