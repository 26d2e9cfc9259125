/*
 * totals_text: prints the totals of a run, for people.
 */
#ifndef STEM_TOTALS_TEXT_H
#define STEM_TOTALS_TEXT_H

#include <stdio.h>

#include "base/terminal.h"
#include "monitor/analysis/totals.h"

/*
 * Prints the totals to out: one line for the run, then the servers that failed or restarted, the
 * streams that were pushed and the subscriptions that received, those with most losses first.
 * Prints nothing before the second snapshot, since there is nothing to sum up.
 */
void totals_text_print(FILE *out, const totals_t *self, const text_style_t *style);

/* What is known of events lost so far, for one line: ">=12 events LOST"; the caller frees it. */
char *totals_text_losses(const totals_t *self);

#endif
