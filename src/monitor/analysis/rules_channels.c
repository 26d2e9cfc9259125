#include "monitor/analysis/rules_channels.h"
