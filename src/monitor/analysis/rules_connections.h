/*
 * rules_connections: the rules of subscriptions that aren't made, or that nothing arrives for; see
 * rules.h.
 */
#ifndef STEM_RULES_CONNECTIONS_H
#define STEM_RULES_CONNECTIONS_H

#include "monitor/analysis/rules.h"

#endif
