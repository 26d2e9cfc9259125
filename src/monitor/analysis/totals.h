/*
 * totals: what came of a whole run: polls and failures of each server, events and losses of each
 * stream. They are the sums of the rows of all comparisons, and count nothing by themselves.
 */
#ifndef STEM_TOTALS_H
#define STEM_TOTALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "monitor/analysis/comparison.h"

/* So many streams have rows of their own; of more, those where least happened share one. */
#define TOTALS_MAX_STREAMS 20000

typedef enum { TOTAL_SERVER, TOTAL_PUBLISHED, TOTAL_SUBSCRIBED } total_kind_t;

/* One server, published stream or subscription. */
typedef struct {
    total_kind_t kind;
    char *server;
    char *name; /* of the stream or topic; "" of a server */
    int64_t polls;
    int64_t failures;
    int64_t restarts;
    double seconds; /* of a server, between its answers */
    /* Of a published stream, and of a subscription: the sums of those counters that are in totals;
     * lost events as losses know them. */
    publisher_counts_t pushed;
    subscription_counts_t received;
    bool knows_lost; /* some answer told, or lets it be derived */
    bool is_derived; /* it isn't the agent that counted all of them */
    bool lost_is_minimum;
    bool knows_not_received; /* its publisher was watched */
    int64_t not_received;    /* by now; of a subscription that ended: by then */
    int64_t not_received_ended;
} total_t;

/* What is left of those streams that got no row of their own, or lost it. */
typedef struct {
    size_t streams;
    total_t sum;
} totals_rest_t;

typedef struct totals totals_t;

/* Nothing counted yet. Never NULL. */
totals_t *totals_new(void);

/* Frees it and sets *self to NULL; *self may be NULL. */
void totals_destroy(totals_t **self);

/*
 * Adds a snapshot, taken at that time. What happened before a server's first answer isn't counted.
 */
void totals_add(totals_t *self, const comparison_t *comparison, const struct timespec *time);

/*
 * The same in parts, for whoever adds only some of the streams: begin with totals_begin(), and add
 * a server before its streams.
 */
void totals_begin(totals_t *self, const struct timespec *time);
void totals_add_server(totals_t *self, const server_part_t *part);
void totals_add_published(totals_t *self, const server_part_t *part, const published_row_t *row);
void totals_add_subscription(totals_t *self, const server_part_t *part,
                             const subscription_row_t *row);

/* Pushed or received. */
int64_t total_events(const total_t *self);

/* None is known to be lost, and some may be. */
bool total_lost_is_unknown(const total_t *self);

/* Pushed, and never received so far as one knows; not among those that are lost. */
int64_t total_not_received(const total_t *self);

/* By kind, server and name, as strcmp() does it. */
int total_compare_names(const total_t *left, const total_t *right);

/* All rows, in no order; valid until something is added. */
const total_t *const *totals_rows(const totals_t *self, size_t *count);

/* What has no row of its own, of one kind of streams. */
const totals_rest_t *totals_rest_of(const totals_t *self, total_kind_t kind);

/* For how long a server was watched, in seconds; 0: not known. */
double totals_seconds_of(const totals_t *self, const char *server);

/* The sums over all servers and streams. */
typedef struct {
    size_t polls;
    struct timespec last; /* of them */
    size_t servers;
    size_t subscriptions;
    size_t untold;  /* of these, those that may have lost more than is known */
    double seconds; /* the longest that a server was watched */
    total_t sum;
} totals_sums_t;

totals_sums_t totals_sum_up(const totals_t *self);

#endif
