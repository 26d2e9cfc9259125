/*
 * metrics_collector: makes a model of each observation: all that is exposed of the watched servers.
 * docs/metrics.md describes it.
 */
#ifndef STEM_METRICS_COLLECTOR_H
#define STEM_METRICS_COLLECTOR_H

#include "monitor/analysis/observation.h"
#include "monitor/view/metrics/metrics_model.h"
#include "monitor/view/metrics/metrics_sink.h"

typedef struct metrics_collector metrics_collector_t;

/* options have to live as long. Never NULL. */
metrics_collector_t *metrics_collector_new(const metrics_options_t *options);

/* Frees it and sets *self to NULL; *self may be NULL. */
void metrics_collector_destroy(metrics_collector_t **self);

/* What came of it. */
typedef struct {
    metrics_model_t *model; /* sealed; the caller's */
    size_t series;          /* of streams and channels */
    size_t summed_streams;  /* that have none of their own */
} metrics_collected_t;

/* Takes the next observation, which must have a comparison. */
metrics_collected_t metrics_collect(metrics_collector_t *self, const observation_t *observation);

#endif
