#include "monitor/analysis/observation.h"

#include <stdlib.h>

#include "base/memory.h"
#include "monitor/analysis/losses.h"
#include "monitor/model/history.h"

typedef struct {
    observation_t seen; /* the public part; comes first */
    snapshot_t *snapshot;
    comparison_t *comparison;
    history_t *history;
    losses_t *losses;
    totals_t *totals;
    findings_t *findings;
} whole_t;

observation_t *observation_new(const rule_settings_t *settings)
{
    whole_t *self = memory_new(1, sizeof *self);
    self->history = history_new();
    self->losses = losses_new();
    self->totals = totals_new();
    self->findings = findings_new(settings);
    self->seen.totals = self->totals;
    self->seen.findings = self->findings;
    self->seen.losses = self->losses;
    return &self->seen;
}

static void clear(whole_t *self)
{
    comparison_destroy(&self->comparison);
    self->seen.comparison = NULL;
    self->seen.snapshot = self->seen.previous = NULL;
}

void observation_destroy(observation_t **self)
{
    whole_t *whole = (whole_t *)*self;
    if (!whole)
        return;
    clear(whole);
    snapshot_destroy(&whole->snapshot);
    findings_destroy(&whole->findings);
    totals_destroy(&whole->totals);
    losses_destroy(&whole->losses);
    history_destroy(&whole->history);
    free(whole);
    *self = NULL;
}

void observation_settle(observation_t *self)
{
    whole_t *whole = (whole_t *)self;
    clear(whole);
    if (whole->snapshot)
        history_remember(whole->history, &whole->snapshot);
}

void observation_renew(observation_t *self, snapshot_t **snapshot, bool compares)
{
    whole_t *whole = (whole_t *)self;
    observation_settle(self);
    whole->snapshot = *snapshot;
    *snapshot = NULL;
    self->snapshot = whole->snapshot;
    self->previous = history_previous(whole->history);
    if (!compares)
        return;
    losses_update(whole->losses, self->previous, self->snapshot);
    whole->comparison = comparison_new(self->previous, self->snapshot, whole->losses);
    totals_add(whole->totals, whole->comparison, &self->snapshot->time);
    self->comparison = whole->comparison;
    findings_update(whole->findings, self->snapshot, self->previous, self->comparison,
                    whole->losses);
}
