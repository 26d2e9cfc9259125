/*
 * rules_channels: the rules of event channels: heartbeats, and endpoints that can't be reached; see
 * rules.h.
 */
#ifndef STEM_RULES_CHANNELS_H
#define STEM_RULES_CHANNELS_H

#include "monitor/analysis/rules.h"

#endif
