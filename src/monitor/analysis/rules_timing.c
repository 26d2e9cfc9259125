#include "monitor/analysis/rules_timing.h"
