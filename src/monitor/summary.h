/*
 * summary: prints a snapshot for people: per server only what changed since the one before.
 */
#ifndef STEM_SUMMARY_H
#define STEM_SUMMARY_H

#include <stdbool.h>
#include <stdio.h>

#include "monitor/snapshot.h"

typedef struct {
    bool perf; /* print the tables of performance samples (-m) */
} summary_options_t;

/*
 * Prints what changed from previous (NULL: nothing was known) to current to out. A server that
 * failed in previous is compared with the last answer that the caller still has: pass that in
 * previous (see poller), with its own time in reply_t.time, or its rates come out too high. A
 * failure that previous has in reply_t.error, too, isn't told again. Servers are matched by name.
 * Neither snapshot is kept.
 *
 * Uses the locale's character set (setlocale(LC_CTYPE, ""); LC_NUMERIC is best left alone: numbers
 * are printed as C does) and the local time zone. Failure to write is left in out's error flag.
 */
void summary_print(FILE *out, const snapshot_t *previous, const snapshot_t *current,
                   const summary_options_t *options);

#endif
