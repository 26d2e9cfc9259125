#include "monitor/analysis/findings/fail_on.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "monitor/analysis/findings/rules.h"

static const char none[] = "none";

static bool add_severity(fail_on_t *self, const char *name)
{
    for (severity_t severity = SEVERITY_REMARK; severity <= SEVERITY_FAULT; severity++) {
        if (strcmp(severity_name(severity), name) != 0)
            continue;
        if (!self->has_severity || severity < self->severity)
            self->severity = severity;
        return self->has_severity = true;
    }
    return false;
}

static bool add_rules(fail_on_t *self, const char *name)
{
    bool any = false;
    if (!self->rules)
        self->rules = memory_new(rules_count, sizeof *self->rules);
    for (size_t i = 0; i < rules_count; i++)
        if (strcmp(rules[i].name, name) == 0 || strcmp(rules[i].group, name) == 0)
            self->rules[i] = any = true;
    return any;
}

static char *unknown(const char *name)
{
    static const char *const further[] = {"fault", "warning", "remark", none, NULL};
    char *nearest = rules_nearest(name, further);
    char *error = memory_format("'%s' is neither a rule nor a group, fault, warning, remark or none"
                                "%s%s",
                                name, nearest ? ": perhaps " : "", nearest ? nearest : "");
    free(nearest);
    return error;
}

bool fail_on_add(fail_on_t *self, const char *list, char **error)
{
    *error = NULL;
    self->is_given = true;
    for (const char *at = list; at && !*error;) {
        const size_t length = strcspn(at, ",");
        char *name = memory_copy(at, length);
        if (strcmp(name, none) != 0 && !add_severity(self, name) && !add_rules(self, name))
            *error = unknown(name);
        free(name);
        at = at[length] == ',' ? at + length + 1 : NULL;
    }
    return !*error;
}

void fail_on_clear(fail_on_t *self)
{
    free(self->rules);
    *self = (fail_on_t){0};
}

bool fail_on_counts(const fail_on_t *self, const finding_t *finding)
{
    const ptrdiff_t index = finding->rule - rules;
    const bool is_of_table = index >= 0 && (size_t)index < rules_count;
    if (!self->is_given)
        return finding->severity >= SEVERITY_WARNING;
    return (self->has_severity && finding->severity >= self->severity) ||
           (self->rules && is_of_table && self->rules[index]);
}
