/*
 * shown: what is shown of a comparison: the streams that a filter accepts, the most urgent ones
 * first.
 */
#ifndef STEM_SHOWN_H
#define STEM_SHOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/analysis/observation.h"
#include "monitor/view/filter.h"

/* One server; for one that failed there is only the part. */
typedef struct {
    const server_part_t *part;
    const published_row_t **published; /* by name */
    size_t published_count;
    const subscription_row_t **subscriptions; /* most losses first, then restarts, then by name */
    size_t subscription_count;
    const not_connected_change_t **not_connected;
    size_t not_connected_count;
    int64_t new_losses; /* of these subscriptions */
    bool any;           /* anything that the filter accepts has changed */
} shown_server_t;

typedef struct {
    shown_server_t *servers; /* failures first, then restarts and losses, then as in the snapshot */
    size_t count;
    size_t failed;              /* of them */
    const findings_t *findings; /* all of the observation; NULL: none are shown */
} shown_t;

/* Points into the comparison. The caller owns it. Never NULL. */
shown_t *shown_new(const comparison_t *comparison, const filter_t *filter);

/* Whether a finding is about something that the filter accepts. */
bool shown_takes(const filter_t *filter, const finding_t *finding);

/*
 * The totals of what is shown: the observation's, or, with a filter, own ones, to which this adds
 * what is shown now.
 */
const totals_t *shown_totals(const shown_t *self, const observation_t *observation,
                             const filter_t *filter, totals_t *own);

/* Frees it and sets *self to NULL; *self may be NULL. */
void shown_destroy(shown_t **self);

#endif
