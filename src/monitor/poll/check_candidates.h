/*
 * check_candidates: what in a snapshot should be checked: an event channel without heartbeats, a
 * subscription that isn't connected.
 */
#ifndef STEM_CHECK_CANDIDATES_H
#define STEM_CHECK_CANDIDATES_H

#include "monitor/model/snapshot.h"

/*
 * Is called for each candidate, with its subject, and how many seconds it should still be in
 * trouble before it is checked. Returns whether it takes more of that kind.
 */
typedef bool (*check_candidate_t)(void *context, check_kind_t kind, const char *subject,
                                  double seconds);

/* Finds all candidates: first a few of each server, so that one with many leaves something to the
 * others, then all, in the order of the snapshot. The same subject may come more than once. */
void check_candidates_find(const snapshot_t *snapshot, check_candidate_t take, void *context);

#endif
