/*
 * rules_channels: the rules of event channels: heartbeats, and endpoints that can't be reached; see
 * rules.h.
 */
#ifndef STEM_RULES_CHANNELS_H
#define STEM_RULES_CHANNELS_H

#include "monitor/analysis/findings/rules.h"

void rule_silent_channel(const rule_t *self, const rules_input_t *input, const server_part_t *part,
                         const response_channel_t *now, const response_channel_t *before);
void rule_unreachable_endpoint(const rule_t *self, const rules_input_t *input,
                               const server_part_t *part, const response_channel_t *now,
                               const response_channel_t *before);
void rule_frozen_events(const rule_t *self, const rules_input_t *input, const server_part_t *part);

#endif
