/*
 * observation: everything known about a poll, computed once, for all sinks.
 *
 * It is complete and unsorted: to filter, and to put the most important things first, is the view's
 * business.
 */
#ifndef STEM_OBSERVATION_H
#define STEM_OBSERVATION_H

#include <stdbool.h>

#include "monitor/analysis/comparison.h"
#include "monitor/analysis/findings/findings.h"
#include "monitor/analysis/findings/rules.h"
#include "monitor/analysis/losses.h"
#include "monitor/analysis/totals.h"
#include "monitor/model/snapshot.h"

/* There is one in a run, and each poll renews it. */
typedef struct {
    const snapshot_t *snapshot;     /* what the servers answered */
    const snapshot_t *previous;     /* the last answer of each before that (see history.h); NULL: of
                                       the first poll */
    const comparison_t *comparison; /* of the two; NULL: nobody reads it */
    const totals_t *totals;         /* of all comparisons so far; always the same */
    const findings_t *findings;     /* likewise; empty if nobody compares */
    const losses_t *losses;         /* of each subscription, changed or not; likewise */
} observation_t;

/* Of no poll yet. settings: as of findings_new(). Never NULL. */
observation_t *observation_new(const rule_settings_t *settings);

/* Frees it and sets *self to NULL; *self may be NULL. */
void observation_destroy(observation_t **self);

/*
 * Takes the next snapshot over, and sets *snapshot to NULL. compares: some sink reads more than the
 * snapshot, from now on. Otherwise nothing is compared and added up.
 */
void observation_renew(observation_t *self, snapshot_t **snapshot, bool compares);

/* After all sinks have seen it: keeps what the next snapshot is compared with, and frees the rest,
 * which is most of it. */
void observation_settle(observation_t *self);

#endif
