/*
 * metrics_limit: which servers' streams have no series of their own, because there would be too
 * many.
 */
#ifndef STEM_METRICS_LIMIT_H
#define STEM_METRICS_LIMIT_H

#include <stdbool.h>
#include <stddef.h>

/* One server. */
typedef struct {
    size_t streams;           /* that it has */
    size_t series;            /* that they have in all, each on its own */
    size_t sums;              /* that their sums have */
    bool is_summed;           /* so far, and as it is decided */
    unsigned polls_with_room; /* while it is: polls in a row, for metrics_limit_apply() alone */
} metrics_load_t;

/* For so many polls there has to be room for a server that was summed up. */
enum { METRICS_LIMIT_POLLS = 60 };

/*
 * Decides for each server. As long as there are more series than the limit, the server with the
 * most streams is summed up, of several the first. One that was, and the limit could bear again,
 * stays so until there has been room to spare for a while: neither a little more or less makes it
 * come and go, nor a restart, after which a server has no streams at first. What changes is
 * counted twice by whoever adds up a time before and after it, or not at all.
 */
void metrics_limit_apply(metrics_load_t *const *servers, size_t count, size_t limit);

#endif
