#include "monitor/analysis/rules_connections.h"
