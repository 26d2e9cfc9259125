/*
 * rules_losses: the rules of what was lost on the way; see rules.h.
 */
#ifndef STEM_RULES_LOSSES_H
#define STEM_RULES_LOSSES_H

#include "monitor/analysis/findings/rules.h"

/* Lost while the connection was there: a queue was full. */
void rule_overflow(const rule_t *self, const rules_input_t *input,
                   const rule_subscription_t *subscription);

/* Lost at the end of a burst, which no counter shows. */
void rule_unnoticed_loss(const rule_t *self, const rules_input_t *input,
                         const rule_subscription_t *subscription);

/* Pushed and not received, and nothing says that it is lost. */
void rule_not_received(const rule_t *self, const rules_input_t *input,
                       const rule_subscription_t *subscription);

/* Lost while there was no connection. */
void rule_outage(const rule_t *self, const rules_input_t *input,
                 const rule_subscription_t *subscription);

/* A subscriber that took long to connect to the publisher's new process. */
void rule_publisher_restart(const rule_t *self, const rules_input_t *input,
                            const rule_subscription_t *subscription);

/* Lost before the server's first answer. */
void rule_earlier_losses(const rule_t *self, const rules_input_t *input,
                         const rule_subscription_t *subscription);

/* Events that Tango discards because it takes them for duplicates. */
void rule_duplicates(const rule_t *self, const rules_input_t *input,
                     const rule_subscription_t *subscription);

/* A publisher that doesn't number its events. */
void rule_no_counter(const rule_t *self, const rules_input_t *input,
                     const rule_subscription_t *subscription);

#endif
