#include "monitor/explain.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "monitor/analysis/findings/explanation.h"

static bool is_named(const rule_t *rule, const char *name)
{
    return strcmp(rule->name, name) == 0 || strcmp(rule->group, name) == 0;
}

char *explain_error(const char *name)
{
    for (size_t i = 0; i < rules_count; i++)
        if (is_named(&rules[i], name))
            return NULL;
    char *nearest = rules_nearest(name, NULL);
    char *error = memory_format("there is no rule '%s'%s%s%s", name, nearest ? ": perhaps " : "",
                                nearest ? nearest : "", nearest ? "" : ": --explain lists them");
    free(nearest);
    return error;
}

/* "10 s", "1 event"; "" if it has none. */
static char *threshold_text(const rule_t *rule, const rule_settings_t *settings)
{
    if (!rule->unit)
        return memory_string("");
    const double threshold = rule_threshold(rule, settings);
    const bool is_event = threshold == 1 && strcmp(rule->unit, "events") == 0;
    return memory_format("%g %s", threshold, is_event ? "event" : rule->unit);
}

static size_t longest_name(void)
{
    size_t longest = 0;
    for (size_t i = 0; i < rules_count; i++)
        if (strlen(rules[i].name) > longest)
            longest = strlen(rules[i].name);
    return longest;
}

static void print_list(FILE *out, const rule_settings_t *settings, const text_style_t *style)
{
    const int name_width = (int)longest_name();
    fprintf(out, "%s%-*s  severity  group       threshold        finds%s\n",
            terminal_color(COLOR_HEADING, style->color), name_width, "rule",
            terminal_color(COLOR_NONE, style->color));
    for (size_t i = 0; i < rules_count; i++) {
        const rule_t *rule = &rules[i];
        char *threshold = threshold_text(rule, settings);
        fprintf(out, "%-*s  %-8s  %-10s  %-15s  %s\n", name_width, rule->name,
                severity_name(rule->severity), rule->group, threshold, rule->title);
        free(threshold);
    }
}

static void print_rule(FILE *out, const rule_t *rule, const rule_settings_t *settings,
                       const text_style_t *style)
{
    fprintf(out, "%s%s: %s%s\n", terminal_color(COLOR_HEADING, style->color), rule->name,
            rule->title, terminal_color(COLOR_NONE, style->color));
    fprintf(out, "%s of the group %s", severity_name(rule->severity), rule->group);
    char *threshold = threshold_text(rule, settings);
    if (rule->unit)
        fprintf(out, ", threshold %s", threshold);
    if (rule->agent_only)
        fputs(", only of servers with the agent", out);
    char *text = explanation_text(rule, style->width);
    fprintf(out, "\n\n%s", text);
    free(text);
    free(threshold);
}

void explain_print(FILE *out, char *const *names, size_t count, const rule_settings_t *settings,
                   const text_style_t *style)
{
    if (count == 0)
        print_list(out, settings, style);
    bool any = false;
    for (size_t i = 0; i < rules_count; i++) {
        bool named = false;
        for (size_t j = 0; j < count; j++)
            named |= is_named(&rules[i], names[j]);
        if (!named)
            continue;
        if (any)
            putc('\n', out);
        print_rule(out, &rules[i], settings, style);
        any = true;
    }
}
