/*
 * rules_timing: the rules of clocks, and of what takes long; see rules.h.
 */
#ifndef STEM_RULES_TIMING_H
#define STEM_RULES_TIMING_H

#include "monitor/analysis/rules.h"

#endif
