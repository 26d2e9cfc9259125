/*
 * summary: prints a snapshot for people: per server only what changed since the one before.
 */
#ifndef STEM_SUMMARY_H
#define STEM_SUMMARY_H

#include <stdio.h>

#include "monitor/comparison.h"
#include "monitor/summary_options.h"

/*
 * Prints what a comparison of current with what was before it has found to out. A failure that
 * isn't new isn't told again.
 *
 * Uses the locale's character set (setlocale(LC_CTYPE, ""); LC_NUMERIC is best left alone: numbers
 * are printed as C does) and the local time zone. Failure to write is left in out's error flag.
 */
void summary_print(FILE *out, const comparison_t *comparison, const snapshot_t *current,
                   const summary_options_t *options);

#endif
