/*
 * fail_on: which findings make a diagnosis fail.
 */
#ifndef STEM_FAIL_ON_H
#define STEM_FAIL_ON_H

#include <stdbool.h>

#include "monitor/analysis/findings/findings.h"

/* All 0: faults and warnings. Free with fail_on_clear(). */
typedef struct {
    bool is_given;
    bool has_severity;
    severity_t severity; /* this one and worse ones */
    bool *rules;         /* by rule; NULL: none */
} fail_on_t;

/*
 * Adds a list with commas of rules, groups and severities, or "none". False if one of them is
 * unknown: *error, which the caller frees, says which.
 */
bool fail_on_add(fail_on_t *self, const char *list, char **error);
void fail_on_clear(fail_on_t *self);

/* Whether a finding counts. */
bool fail_on_counts(const fail_on_t *self, const finding_t *finding);

#endif
