/*
 * rules_connections: the rules of subscriptions that aren't made, or that nothing arrives for; see
 * rules.h.
 */
#ifndef STEM_RULES_CONNECTIONS_H
#define STEM_RULES_CONNECTIONS_H

#include "monitor/analysis/findings/rules.h"

/*
 * Whether a channel is silent because its publisher has another name for the host now, as
 * rule_name_mismatch() says of its streams.
 */
bool connections_are_misnamed(const rules_input_t *input, const server_part_t *part,
                              const response_channel_t *channel);

void rule_name_mismatch(const rule_t *self, const rules_input_t *input,
                        const rule_subscription_t *subscription);
void rule_expired(const rule_t *self, const rules_input_t *input,
                  const rule_published_t *published);
void rule_not_connected(const rule_t *self, const rules_input_t *input, const server_part_t *part,
                        const response_not_connected_t *now,
                        const response_not_connected_t *before);
void rule_never_pushed(const rule_t *self, const rules_input_t *input, const server_part_t *part);

#endif
