#include "monitor/view/text/finding_line.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/printable.h"
#include "monitor/analysis/rules.h"

enum {
    MARK_WIDTH = 9,    /* of what a line begins with */
    SHORTEST_NAME = 12 /* that a name is shortened to */
};

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

char *finding_line_without_prefix(const char *text, const char *prefix)
{
    char *copy = memory_string(text);
    const size_t length = prefix ? strlen(prefix) : 0;
    if (length == 0)
        return copy;
    for (char *found = copy; (found = strstr(found, prefix)) != NULL;)
        memmove(found, found + length, strlen(found + length) + 1);
    return copy;
}

/* ---- shortening ---- */

/* The longest word that is a name; its length in bytes, or 0. */
static size_t longest_name(const char *text, const char **word)
{
    size_t longest = 0;
    for (const char *at = text; *at;) {
        const size_t length = strcspn(at, " ");
        char *copy = memory_copy(at, length);
        if (printable_width(copy) > SHORTEST_NAME && strchr(copy, '/') && length > longest) {
            longest = length;
            *word = at;
        }
        free(copy);
        at += length + strspn(at + length, " ");
    }
    return longest;
}

/* Shortens the longest name by excess cells, as far as that goes; frees text. False: there is none.
 */
static bool shorten_name(char **text, size_t excess, bool utf8)
{
    const char *word = NULL;
    const size_t length = longest_name(*text, &word);
    if (length == 0)
        return false;
    char *name = memory_copy(word, length);
    const size_t width = printable_width(name);
    const size_t wanted = width > SHORTEST_NAME + excess ? width - excess : SHORTEST_NAME;
    char *shorter = printable_shorten(name, wanted, utf8);
    char *whole = memory_format("%.*s%s%s", (int)(word - *text), *text, shorter, word + length);
    free(shorter);
    free(name);
    free(*text);
    *text = whole;
    return true;
}

char *finding_line_shorten(const char *text, size_t width)
{
    const bool utf8 = printable_locale_is_utf8();
    char *shorter = memory_string(text);
    for (size_t now = 0; (now = printable_width(shorter)) > width;)
        if (!shorten_name(&shorter, now - width, utf8))
            break;
    return shorter;
}

void finding_line_print(FILE *out, const finding_t *finding, const char *prefix, const char *how,
                        const text_style_t *style)
{
    const bool utf8 = printable_locale_is_utf8();
    char *text =
        finding_line_without_prefix(finding->text ? finding->text : finding->rule->title, prefix);
    char *printable = printable_copy(text, utf8);
    char *behind = memory_format("%s  [%s]", how, finding->rule->name);
    const size_t taken = MARK_WIDTH + printable_width(behind);
    char *line = style->width > taken ? finding_line_shorten(printable, style->width - taken)
                                      : memory_string(printable);
    fprintf(out, "%s%-7s  %s%s%s\n", terminal_color(color_of(finding), style->color),
            mark_of(finding->severity), line, behind, terminal_color(COLOR_NONE, style->color));
    free(line);
    free(behind);
    free(printable);
    free(text);
}
