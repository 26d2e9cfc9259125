/*
 * merge_snapshots: several snapshots as one.
 */
#ifndef STEM_MERGE_SNAPSHOTS_H
#define STEM_MERGE_SNAPSHOTS_H

#include <stdbool.h>

#include "monitor/model/snapshot.h"

/* Whether other has a server that self doesn't have. */
bool merge_snapshots_adds(const snapshot_t *self, const snapshot_t *other);

/*
 * Adds the replies and checks of other, which is as late or later, and destroys it. Of a server
 * that both have, the later answer counts; an error doesn't replace an answer. Both have to have
 * the same monotonic clock, if they have one.
 */
void merge_snapshots_add(snapshot_t *self, snapshot_t **other);

#endif
