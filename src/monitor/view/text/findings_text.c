#include "monitor/view/text/findings_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/printable.h"
#include "monitor/view/shown.h"
#include "monitor/view/text/duration_text.h"
#include "monitor/view/text/finding_line.h"

/* So many are shown at a time. */
enum { MAXIMUM_SHOWN = 100 };

/* What is said behind a finding. The caller frees it. */
static char *how_text(const finding_t *finding)
{
    if (finding->state == FINDING_BEGAN)
        return memory_string("");
    char *text = finding->state == FINDING_ENDED ? duration_text(finding_seconds(finding), 0)
                                                 : finding_line_since(finding);
    char *how = finding->state == FINDING_ENDED ? memory_format(": over after %s", text)
                                                : memory_format(" (since %s)", text);
    free(text);
    return how;
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
        char *name = finding_line_without_prefix(list[i]->about.publisher, prefix);
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
    char *own = prefix ? NULL : finding_line_prefix(now, count);
    if (own)
        prefix = own;
    for (size_t i = 0; i < count; i++) {
        if (!shown_takes(filter, now[i]))
            continue;
        if (shown++ >= MAXIMUM_SHOWN) {
            more++;
            continue;
        }
        char *how = how_text(now[i]);
        finding_line_print(out, now[i], prefix, how, style);
        free(how);
    }
    if (more > 0)
        fprintf(out, "and %zu more findings\n", more);
    print_unwatched(out, now, count, filter, prefix);
    free(own);
}

static void print_heading(FILE *out, const char *prefix)
{
    char *printable = printable_copy(prefix ? prefix : "", printable_locale_is_utf8());
    fprintf(out, prefix ? "Found (names without %s):\n" : "Found:%s\n", printable);
    free(printable);
}

void findings_text_print_run(FILE *out, const findings_t *findings, const filter_t *filter,
                             const text_style_t *style)
{
    size_t count = 0;
    size_t shown = 0;
    const finding_t *const *all = findings_of_run(findings, &count);
    char *prefix = finding_line_prefix(all, count);
    for (size_t i = 0; i < count; i++) {
        if (!shown_takes(filter, all[i]))
            continue;
        if (shown++ == 0)
            print_heading(out, prefix);
        if (shown > MAXIMUM_SHOWN)
            continue;
        char *time = finding_line_time(all[i]);
        char *how = memory_format(" (%s)", time);
        finding_line_print(out, all[i], prefix, how, style);
        free(how);
        free(time);
    }
    if (shown > MAXIMUM_SHOWN)
        fprintf(out, "and %zu more findings\n", shown - MAXIMUM_SHOWN);
    if (findings_left_out(findings) > 0)
        fprintf(out, "and more than %d findings in all: the rest wasn't kept\n", FINDINGS_MAXIMUM);
    if (shown > 0)
        putc('\n', out);
    free(prefix);
}
