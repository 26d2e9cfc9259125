/*
 * rules_agent: the rules of what can't be seen, for lack of an agent or of an answer; see rules.h.
 */
#ifndef STEM_RULES_AGENT_H
#define STEM_RULES_AGENT_H

#include "monitor/analysis/findings/rules.h"

void rule_no_answer(const rule_t *self, const rules_input_t *input, const server_part_t *part);
void rule_uncounted(const rule_t *self, const rules_input_t *input, const server_part_t *part);
void rule_truncated(const rule_t *self, const rules_input_t *input, const server_part_t *part);
void rule_unknown_topics(const rule_t *self, const rules_input_t *input, const server_part_t *part);
void rule_unwatched(const rule_t *self, const rules_input_t *input);
void rule_old_agent(const rule_t *self, const rules_input_t *input);
void rule_monitoring_left_on(const rule_t *self, const rules_input_t *input,
                             const server_part_t *part);

#endif
