/*
 * continuity: how an answer of a server continues the previous one: whether both are from the same
 * process, and what the later one doesn't say.
 */
#ifndef STEM_CONTINUITY_H
#define STEM_CONTINUITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "response/response.h"

/* Whether two answers of one server are known to be from different processes. */
bool continuity_is_another_process(const response_t *before, const response_t *after);

/*
 * Whether all counts began anew between two answers of one server: they are from different
 * processes, or the agent was detached from the process and attached again.
 */
bool continuity_counts_anew(const response_t *before, const response_t *after);

/*
 * Whether a subscription is another one than before, although its counts may be higher: it was
 * resubscribed, and now never was. The agent tells its process instead.
 */
bool continuity_is_new(response_dialect_t dialect, bool was_resubscribed,
                       const response_subscription_t *now);

enum { CONTINUITY_MAXIMUM_KEPT = 65536 };

/* How many entries an answer may have omitted of a list that has count, by what it says itself; at
 * most as many as are kept of it. */
int64_t continuity_left_out(int64_t truncated, size_t count);

/*
 * Takes over from the previous answer, of the same process, what this one doesn't say: publishers,
 * subscriptions and channels that it omitted (see response_truncated_t), and counts that are
 * unknown in it.
 * So it stands for all that is known. Of each kind, at most CONTINUITY_MAXIMUM_KEPT are kept in
 * total: an agent has no capacity for more, and a server that claims so is not believed for ever.
 */
void continuity_take_over(response_t *self, const response_t *before);

#endif
