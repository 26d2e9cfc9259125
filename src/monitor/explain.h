/*
 * explain: --explain, which prints what the rules look for and what to do about it.
 */
#ifndef STEM_EXPLAIN_H
#define STEM_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/terminal.h"
#include "monitor/analysis/findings/rules.h"

/* What is wrong with the name of a rule or group, as one line, which the caller frees; NULL:
 * nothing. */
char *explain_error(const char *name);

/* Prints the rules of these names, or of these groups; without any name, a list of all rules. */
void explain_print(FILE *out, char *const *names, size_t count, const rule_settings_t *settings,
                   const text_style_t *style);

#endif
