/*
 * findings_text: findings as lines of text.
 */
#ifndef STEM_FINDINGS_TEXT_H
#define STEM_FINDINGS_TEXT_H

#include <stdio.h>

#include "base/terminal.h"
#include "monitor/analysis/findings/findings.h"
#include "monitor/view/filter.h"

/* What is to be said of one observation: a line for each finding, and one for all publishers of
 * what has begun that aren't watched. prefix: left out of all names; NULL: none. */
void findings_text_print_now(FILE *out, const findings_t *findings, const filter_t *filter,
                             const char *prefix, const text_style_t *style);

/* What was found in a whole run, with how long it lasted. Nothing if there was nothing. */
void findings_text_print_run(FILE *out, const findings_t *findings, const filter_t *filter,
                             const text_style_t *style);

#endif
