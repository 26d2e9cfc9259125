/*
 * metrics_tables: which series there are of streams, channels and servers. Those of counters come
 * from the tables of counters.c: a line there is a metric here.
 */
#ifndef STEM_METRICS_TABLES_H
#define STEM_METRICS_TABLES_H

#include "monitor/view/metrics/metrics_table.h"
#include "response/counters.h"

/* Tables of which a server has any number of rows: those that the limit is for. */
enum { STREAMS_PUBLISHED, STREAMS_SUBSCRIBED, STREAMS_CHANNELS, METRICS_STREAM_TABLES };

typedef struct {
    metrics_table_t streams[METRICS_STREAM_TABLES];
    metrics_table_t servers;
    metrics_table_t agents;   /* about the agent, in labels */
    metrics_table_t findings; /* those that last, by server, rule and severity */
} metrics_tables_t;

/* Columns of a row; those of its counters follow, see metrics_row_set_counts(). */
enum { PUBLISHED_COLUMNS }; /* none */

enum {
    SUBSCRIBED_LOST_OVERFLOW, /* what the agent counted */
    SUBSCRIBED_LOST_OUTAGE,
    SUBSCRIBED_DERIVED_OVERFLOW, /* what only the exporter found */
    SUBSCRIBED_DERIVED_OUTAGE,
    SUBSCRIBED_LOST_IS_MINIMUM,
    SUBSCRIBED_NOT_RECEIVED,
    SUBSCRIBED_COLUMNS
};

enum { CHANNEL_LAST_HEARTBEAT, CHANNEL_COLUMNS };

enum {
    SERVER_UP,
    SERVER_POLL,
    SERVER_ANSWERED,
    SERVER_PUBLISHED,
    SERVER_SUBSCRIBED,
    SERVER_SUMMED,
    SERVER_NOT_CONNECTED,
    SERVER_BUSY,
    SERVER_DELAYED,
    SERVER_COLUMNS
};

/* Histograms of a row. */
enum { PUBLISHED_PUSH };
enum { SUBSCRIBED_LATENCY, SUBSCRIBED_CALLBACK };

/* Empty tables; clear them with metrics_tables_clear(). */
void metrics_tables_begin(metrics_tables_t *self);
void metrics_tables_clear(metrics_tables_t *self);

/* Sets the columns of counters, which begin at first. What is lost is left to whoever knows it
 * better. */
void metrics_row_set_counts(metrics_row_t *self, size_t first, const counters_t *counters,
                            const void *counts);

/* Puts all tables into a model, and empties them. */
void metrics_tables_put(metrics_tables_t *self, metrics_model_t *model);

#endif
