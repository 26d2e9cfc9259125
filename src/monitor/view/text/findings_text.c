#include "monitor/view/text/findings_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/printable.h"
#include "monitor/analysis/rules.h"
#include "monitor/view/shown.h"

/* So many are shown at a time. */
enum { MAXIMUM_SHOWN = 100 };

static const char *mark_of(severity_t severity)
{
    static const char *const marks[] = {
        [SEVERITY_REMARK] = "remark", [SEVERITY_WARNING] = "WARNING", [SEVERITY_FAULT] = "FAULT"};
    return marks[severity];
}

static color_t color_of(const finding_t *finding)
{
    if (finding->state >= FINDING_ENDED)
        return COLOR_GOOD;
    return finding->severity == SEVERITY_FAULT     ? COLOR_ALARM
           : finding->severity == SEVERITY_WARNING ? COLOR_WARNING
                                                   : COLOR_NONE;
}

/* A duration for people. */
static char *duration_text(double seconds)
{
    const long whole = (long)(seconds + 0.5);
    if (whole >= 3600)
        return memory_format("%ld h %ld min", whole / 3600, whole / 60 % 60);
    if (whole >= 60)
        return memory_format("%ld min %ld s", whole / 60, whole % 60);
    return memory_format("%ld s", whole);
}

/* Text without the prefix that all names have. */
static char *without_prefix(const char *text, const char *prefix)
{
    char *copy = memory_string(text ? text : "");
    const size_t length = prefix ? strlen(prefix) : 0;
    if (length == 0)
        return copy;
    for (char *found = copy; (found = strstr(found, prefix)) != NULL;)
        memmove(found, found + length, strlen(found + length) + 1);
    return copy;
}

static void print_line(FILE *out, const finding_t *finding, const char *prefix, const char *how,
                       const text_style_t *style)
{
    char *text = without_prefix(finding->text ? finding->text : finding->rule->title, prefix);
    char *printable = printable_copy(text, printable_locale_is_utf8());
    const color_t color = color_of(finding);
    fputs(terminal_color(color, style->color), out);
    fprintf(out, "%-7s  %s%s  [%s]", mark_of(finding->severity), printable, how,
            finding->rule->name);
    fputs(terminal_color(COLOR_NONE, style->color), out);
    putc('\n', out);
    free(printable);
    free(text);
}

static bool names_unwatched(const finding_t *finding, const filter_t *filter)
{
    return finding->state == FINDING_BEGAN && finding->publisher_is_unwatched &&
           shown_takes(filter, finding);
}

/* Whether one of the first findings of a list names the same unwatched publisher. */
static bool was_named(const finding_t *const *list, size_t count, const filter_t *filter,
                      const char *publisher)
{
    for (size_t i = 0; i < count; i++)
        if (names_unwatched(list[i], filter) && strcmp(list[i]->about.publisher, publisher) == 0)
            return true;
    return false;
}

/* In one line, the publishers of what began that aren't watched. */
static void print_unwatched(FILE *out, const finding_t *const *list, size_t count,
                            const filter_t *filter, const char *prefix)
{
    size_t named = 0;
    for (size_t i = 0; i < count && i < MAXIMUM_SHOWN; i++) {
        if (!names_unwatched(list[i], filter) ||
            was_named(list, i, filter, list[i]->about.publisher))
            continue;
        char *name = without_prefix(list[i]->about.publisher, prefix);
        char *printable = printable_copy(name, printable_locale_is_utf8());
        fprintf(out, "%s%s", named++ == 0 ? "Not watched: " : ", ", printable);
        free(printable);
        free(name);
    }
    if (named > 0)
        fprintf(out, " (to see %s, name %s, too, or use --follow)\n",
                named == 1 ? "its side" : "their sides", named == 1 ? "it" : "them");
}

void findings_text_print_now(FILE *out, const findings_t *findings, const filter_t *filter,
                             const char *prefix, const text_style_t *style)
{
    size_t count = 0;
    size_t shown = 0;
    size_t more = 0;
    const finding_t *const *now = findings_now(findings, &count);
    for (size_t i = 0; i < count; i++) {
        if (!shown_takes(filter, now[i]))
            continue;
        if (shown++ >= MAXIMUM_SHOWN) {
            more++;
            continue;
        }
        char *duration = duration_text(finding_seconds(now[i]));
        char *how = now[i]->state == FINDING_BEGAN   ? memory_string("")
                    : now[i]->state == FINDING_ENDED ? memory_format(": over after %s", duration)
                                                     : memory_format(" (for %s)", duration);
        print_line(out, now[i], prefix, how, style);
        free(how);
        free(duration);
    }
    if (more > 0)
        fprintf(out, "and %zu more findings\n", more);
    print_unwatched(out, now, count, filter, prefix);
}

void findings_text_print_run(FILE *out, const findings_t *findings, const filter_t *filter,
                             const text_style_t *style)
{
    size_t count = 0;
    size_t shown = 0;
    const finding_t *const *all = findings_of_run(findings, &count);
    for (size_t i = 0; i < count; i++) {
        if (!shown_takes(filter, all[i]))
            continue;
        if (shown++ == 0)
            fputs("Found:\n", out);
        if (shown > MAXIMUM_SHOWN)
            continue;
        char *duration = duration_text(all[i]->seconds_in_all);
        char *how = all[i]->times > 1
                        ? memory_format(" (%zu times, %s in all)", all[i]->times, duration)
                        : memory_format(" (%s)", duration);
        print_line(out, all[i], NULL, how, style);
        free(how);
        free(duration);
    }
    if (shown > MAXIMUM_SHOWN)
        fprintf(out, "and %zu more findings\n", shown - MAXIMUM_SHOWN);
    if (findings_left_out(findings) > 0)
        fprintf(out, "and more than %d findings in all: the rest wasn't kept\n", FINDINGS_MAXIMUM);
    if (shown > 0)
        putc('\n', out);
}
