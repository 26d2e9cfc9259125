/*
 * rules_timing: the rules of clocks, and of what takes long; see rules.h.
 */
#ifndef STEM_RULES_TIMING_H
#define STEM_RULES_TIMING_H

#include "monitor/analysis/findings/rules.h"

void rule_slow_push(const rule_t *self, const rules_input_t *input,
                    const rule_published_t *published);
void rule_slow_push_by_samples(const rule_t *self, const rules_input_t *input,
                               const server_part_t *part);

/* By what servers say what time it is; and by the timestamps of events. */
void rule_clocks(const rule_t *self, const rules_input_t *input);
void rule_clocks_by_events(const rule_t *self, const rules_input_t *input,
                           const server_part_t *part);

#endif
