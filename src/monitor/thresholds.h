/*
 * thresholds: a file that sets thresholds of rules.
 */
#ifndef STEM_THRESHOLDS_H
#define STEM_THRESHOLDS_H

#include <stdbool.h>

#include "monitor/analysis/findings/rules.h"

/*
 * Takes the file's lines, RULE=VALUE each; '#' begins a comment. False if it can't be read or one
 * is wrong: *error, which the caller frees, names the file and the line.
 */
bool thresholds_read(rule_settings_t *settings, const char *path, char **error);

#endif
