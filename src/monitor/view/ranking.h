/*
 * ranking: sorts streams, of a snapshot (--top, --by) and of a whole run.
 */
#ifndef STEM_RANKING_H
#define STEM_RANKING_H

#include <stddef.h>

#include "monitor/analysis/totals.h"
#include "monitor/view/shown.h"

/* What streams are sorted by. */
typedef enum { TOP_LOSS, TOP_RATE, TOP_LATENCY, TOP_PROCESSING } top_key_t;

/* One stream, on either side. */
typedef struct {
    const shown_server_t *server;
    const published_row_t *published; /* one of the two; the other is NULL */
    const subscription_row_t *subscription;
    size_t place; /* among its kind of its server */
    double value; /* what the list is sorted by */
} ranking_row_t;

/*
 * The top streams, at most most, highest first; their number in *count. By loss: those that lost
 * anything since the previous answer; by latency and processing time (99th percentile):
 * subscriptions of servers that measure it; by rate: both sides. The caller frees it.
 */
ranking_row_t *ranking_new(const shown_t *shown, top_key_t key, size_t most, size_t *count);

/* The rows of totals. */
typedef struct {
    const total_t **rows;
    size_t count;
} ranking_totals_t;

/*
 * Those with most losses, then failures, then events first; all others by their names. The rows
 * belong to the totals; the caller frees the list.
 */
ranking_totals_t ranking_of_totals(const totals_t *totals);

#endif
