/*
 * rules_consumer: the rules of what the event consumer thread, which runs all callbacks, is doing;
 * see rules.h.
 */
#ifndef STEM_RULES_CONSUMER_H
#define STEM_RULES_CONSUMER_H

#include "monitor/analysis/findings/rules.h"

void rule_stuck_callback(const rule_t *self, const rules_input_t *input, const server_part_t *part);
void rule_slow_callback(const rule_t *self, const rules_input_t *input, const server_part_t *part);
void rule_late_heartbeats(const rule_t *self, const rules_input_t *input,
                          const server_part_t *part);
void rule_delayed(const rule_t *self, const rules_input_t *input, const server_part_t *part);
void rule_error_events(const rule_t *self, const rules_input_t *input,
                       const rule_subscription_t *subscription);

#endif
