/*
 * top: the streams of all servers that are at the top of a list.
 */
#ifndef STEM_TOP_H
#define STEM_TOP_H

#include <stdio.h>

#include "monitor/summary_options.h"

/* One stream, on either side. */
typedef struct {
    const server_part_t *part;
    const published_row_t *published; /* one of the two; the other is NULL */
    const subscription_row_t *subscription;
    double value; /* what the list goes by */
} top_row_t;

/*
 * The first streams of that list, at most options->top, best first; their number in *count. By
 * loss, those that lost anything since the answer before; by latency and processing time (99 % of
 * the events were faster), subscriptions of servers that tell; by rate, both sides. The caller
 * frees it.
 */
top_row_t *top_rows_new(const comparison_t *comparison, const summary_options_t *options,
                        size_t *count);

/* Prints them as a table; prefix (may be NULL) is left out of names. */
void top_print(FILE *out, const comparison_t *comparison, const char *prefix,
               const summary_options_t *options);

#endif
