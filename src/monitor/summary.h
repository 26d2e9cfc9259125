/*
 * summary: prints a snapshot for people: per server only what changed since the one before.
 */
#ifndef STEM_SUMMARY_H
#define STEM_SUMMARY_H

#include <stdbool.h>
#include <stdio.h>

#include "monitor/comparison.h"
#include "monitor/text_table.h"

/* What streams are put in order by. */
typedef enum { TOP_LOSS, TOP_RATE, TOP_LATENCY, TOP_PROCESSING } top_key_t;

typedef struct {
    bool perf;              /* show how long things took (-m) */
    stream_filter_t filter; /* for what the comparison doesn't filter */
    size_t top;             /* print so many streams of all servers instead of all; 0: all */
    top_key_t top_key;
    text_style_t style;
} summary_options_t;

/*
 * Prints what a comparison of current with what was before it has found to out. A failure that
 * isn't new isn't told again.
 *
 * Uses the locale's character set (setlocale(LC_CTYPE, ""); LC_NUMERIC is best left alone: numbers
 * are printed as C does) and the local time zone. Failure to write is left in out's error flag.
 */
void summary_print(FILE *out, const comparison_t *comparison, const snapshot_t *current,
                   const summary_options_t *options);

/* ---- parts of it, for other tables ---- */

/* The "tango://host:port/" that all names of streams begin with, or NULL; the caller frees it. */
char *summary_prefix(const comparison_t *comparison);

/* A name without such a prefix. */
const char *summary_short_name(const char *prefix, const char *name);

/* Cells with a rate in 1/s, and with a duration in microseconds; NAN: not known. */
void summary_add_rate(text_table_t *table, double rate);
void summary_add_micros(text_table_t *table, double micros);

#endif
