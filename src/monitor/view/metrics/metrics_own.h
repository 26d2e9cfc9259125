/*
 * metrics_own: what the exporter says of itself.
 */
#ifndef STEM_METRICS_OWN_H
#define STEM_METRICS_OWN_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "monitor/view/metrics/metrics_model.h"

/* What it knows from its polls; all 0 before the first one. */
typedef struct {
    bool is_ready;
    struct timespec time; /* of the last observation: when servers were asked */
    double asked;         /* the same moment, in monotonic_seconds(); 0: not known */
    int64_t polls;
    int64_t servers;
    int64_t failed;
    int64_t series;         /* of streams */
    int64_t summed_streams; /* that have none of their own */
    int64_t series_limit;
    double poll_period;
} metrics_own_t;

/* Its series as of now, in a sealed model, which is the caller's. */
metrics_model_t *metrics_own_now(const metrics_own_t *self);

#endif
