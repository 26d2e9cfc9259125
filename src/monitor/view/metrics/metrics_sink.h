/*
 * metrics_sink: observations, as metrics.
 */
#ifndef STEM_METRICS_SINK_H
#define STEM_METRICS_SINK_H

#include <stddef.h>

#include "monitor/sink.h"
#include "monitor/view/filter.h"
#include "monitor/view/metrics/metrics_page.h"

typedef struct {
    filter_t filter;     /* which streams have series of their own */
    size_t series_limit; /* of all streams together; beyond, a server's streams are summed up */
    double poll_period;  /* seconds */
} metrics_options_t;

/* Where pages come from. Never NULL. */
metrics_store_t *metrics_store_new(const metrics_options_t *options);

/* Frees it and sets *self to NULL; *self may be NULL. Nobody may use it any more; pages that were
 * taken from it stay valid. */
void metrics_store_destroy(metrics_store_t **self);

/* Fills the store, which stays the caller's and has to live as long. Never NULL. */
sink_t *metrics_sink_new(metrics_store_t *store);

#endif
