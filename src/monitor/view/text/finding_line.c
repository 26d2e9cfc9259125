#include "monitor/view/text/finding_line.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/local_time.h"
#include "base/memory.h"
#include "base/printable.h"
#include "monitor/analysis/findings/rules.h"
#include "monitor/view/text/duration_text.h"
#include "response/names.h"

enum {
    MARK_WIDTH = 9,    /* of what a line begins with */
    SHORTEST_NAME = 24 /* that a name is shortened to: it must be told from others */
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
    char *to = copy;
    for (const char *from = text; *from;)
        if (strncmp(from, prefix, length) == 0)
            from += length;
        else
            *to++ = *from++;
    *to = '\0';
    return copy;
}

/* Takes one more name into account; false if its prefix is another one. */
static bool share_prefix(char **prefix, const char *name)
{
    const size_t length = name ? names_prefix_length(name) : 0;
    if (length > 0 && !*prefix)
        *prefix = memory_copy(name, length);
    return length == 0 || strncmp(*prefix, name, length) == 0; /* to the slash, which ends both */
}

char *finding_line_prefix(const finding_t *const *list, size_t count)
{
    char *prefix = NULL;
    bool shared = true;
    for (size_t i = 0; shared && i < count; i++) {
        const finding_about_t *about = &list[i]->about;
        shared = share_prefix(&prefix, about->stream) && share_prefix(&prefix, about->publisher) &&
                 share_prefix(&prefix, about->subscriber) && share_prefix(&prefix, about->server) &&
                 share_prefix(&prefix, about->object);
    }
    if (shared)
        return prefix;
    free(prefix);
    return NULL;
}

/* ---- times ---- */

char *finding_line_since(const finding_t *finding)
{
    return local_time_of_day(finding->since.tv_sec, finding->seen.tv_sec);
}

char *finding_line_time(const finding_t *finding)
{
    char *duration = duration_text(finding->seconds_in_all, 0);
    char *since = finding_line_since(finding);
    char *text = finding->times > 1
                     ? memory_format("%zu times, %s in all", finding->times, duration)
                 : finding->seconds_in_all < 0.5 ? memory_format("at %s", since)
                                                 : memory_string(duration);
    free(since);
    free(duration);
    return text;
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

/* Where a text may be cut off: behind its last number and what that counts, which is up to two
 * words. 0 if it has no number. */
static size_t end_of_numbers(const char *text)
{
    enum { COUNTED = 2 };
    size_t end = 0;
    size_t words = 0; /* that still belong to the number */
    for (const char *at = text; *at;) {
        const size_t length = strcspn(at, " ");
        const char first = at[strspn(at, "(>=-+")];
        words = first >= '0' && first <= '9' ? COUNTED + 1 : words;
        if (words > 0) {
            end = (size_t)(at - text) + length;
            words--;
        }
        at += length + strspn(at + length, " ");
    }
    return end;
}

/* Cuts words off at the end, but no number; frees text. */
static char *cut_words(char *text, size_t width, bool utf8)
{
    const char *mark = utf8 ? "\u2026" : "...";
    const size_t least = end_of_numbers(text);
    size_t length = 0; /* of what fits */
    size_t used = printable_width(mark);
    for (const char *at = text; *at;) {
        const size_t blanks = strspn(at, " ");
        const size_t whole = blanks + strcspn(at + blanks, " ");
        char *word = memory_copy(at, whole);
        used += printable_width(word);
        free(word);
        at += whole;
        if (used > width)
            break;
        length = (size_t)(at - text);
    }
    if (length < least)
        length = least;
    char *shorter = memory_copy(text, length);
    char *whole = memory_format("%s%s", shorter, length < strlen(text) ? mark : "");
    free(shorter);
    free(text);
    return whole;
}

char *finding_line_shorten(const char *text, size_t width)
{
    const bool utf8 = printable_locale_is_utf8();
    char *shorter = memory_string(text);
    for (size_t now = 0; (now = printable_width(shorter)) > width;)
        if (!shorten_name(&shorter, now - width, utf8))
            break;
    return printable_width(shorter) > width ? cut_words(shorter, width, utf8) : shorter;
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
