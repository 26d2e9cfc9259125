/*
 * loss_between: how many events a subscription has lost from one answer to the next, as far as the
 * agent's count and the server counters show. losses.h says what is derived, and from what.
 */
#ifndef STEM_LOSS_BETWEEN_H
#define STEM_LOSS_BETWEEN_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/analysis/loss_entry.h"

/* How many were lost in some time, at least. */
typedef struct {
    int64_t by;
    bool exact;
} loss_step_t;

/* What was lost since the previous answer, from whatever shows most. */
loss_step_t loss_between(const loss_entry_t *before, const loss_sight_t *sight);

/* The same for a subscription that began since the previous answer. */
loss_step_t loss_since_it_began(const loss_sight_t *sight);

/* Whether an event of another process has arrived: its server counter started again. */
bool loss_publisher_restarted(const loss_entry_t *before, const loss_sight_t *sight);

/* Whether the publisher is known to be another process than at its previous answer. */
bool loss_is_another_publisher(const loss_entry_t *before, const loss_sight_t *sight);

/*
 * Whether the publisher is, or may be, another process than before: it says so, or its events come
 * from another endpoint. Events that arrived meanwhile may still be from the old one.
 */
bool loss_publisher_changed(const loss_entry_t *before, const loss_sight_t *sight);

/* How far a server counter is ahead of another one. They start again after 2^32 - 1, but the count
 * of a publisher's agent doesn't. */
int64_t loss_ahead(int64_t number, int64_t of);

/* Whether nothing can be derived from it. */
bool loss_has_no_numbers(const response_subscription_t *now);

/* Whether the agent knows of all that it lost. */
bool loss_counted_exactly(const response_subscription_t *now);

#endif
