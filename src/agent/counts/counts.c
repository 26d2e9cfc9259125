#include "agent/counts/counts.h"

counts_t agent_counts = {.subscriptions = SUBSCRIPTIONS_INITIALIZER};
