/*
 * summary: prints a snapshot for people: per server only what changed since the one before.
 */
#ifndef STEM_SUMMARY_H
#define STEM_SUMMARY_H

#include <stdio.h>

#include "monitor/view/shown.h"
#include "monitor/view/summary_options.h"

/*
 * Prints what is shown of the comparison of current with the previous snapshot to out. A failure
 * that isn't new isn't reported again.
 *
 * Uses the locale's character set (setlocale(LC_CTYPE, ""); LC_NUMERIC is best left alone: numbers
 * are printed as C does) and the local time zone. Failure to write is left in out's error flag.
 */
void summary_print(FILE *out, const shown_t *shown, const snapshot_t *current,
                   const summary_options_t *options);

#endif
