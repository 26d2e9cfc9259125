/*
 * rules_losses: the rules of what was lost on the way; see rules.h.
 */
#ifndef STEM_RULES_LOSSES_H
#define STEM_RULES_LOSSES_H

#include "monitor/analysis/rules.h"

void rule_overflow(const rule_t *self, const rules_input_t *input,
                   const rule_subscription_t *subscription);

#endif
