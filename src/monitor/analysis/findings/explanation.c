#include "monitor/analysis/findings/explanation.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/wrap.h"

/* docs/findings.md; see src/monitor/CMakeLists.txt. */
extern const unsigned char embedded_findings[];
extern const size_t embedded_findings_size;

static const char what_to_do[] = "**What to do:** ";

static bool begins_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* The next line of a text, without its line feed; the caller frees it. NULL: there is none. */
static char *next_line(const char **at)
{
    if (**at == '\0')
        return NULL;
    const size_t length = strcspn(*at, "\n");
    char *line = memory_copy(*at, length);
    *at += length + ((*at)[length] == '\n');
    return line;
}

/* The Markdown below the rule's heading, up to the next one. */
static char *section_of(const rule_t *rule)
{
    char *whole = memory_copy((const char *)embedded_findings, embedded_findings_size);
    char *heading = memory_format("\n### %s\n", rule->name);
    const char *found = strstr(whole, heading);
    const char *at = found ? found + strlen(heading) : "";
    const char *end = at;
    while (*end && !begins_with(end, "## ") && !begins_with(end, "### ")) {
        end += strcspn(end, "\n");
        end += *end == '\n';
    }
    char *section = memory_copy(at, (size_t)(end - at));
    free(heading);
    free(whole);
    return section;
}

/* ---- Markdown to text ---- */

/* How many bytes of text's beginning are a mark of emphasis or of a link; 0: none. */
static size_t mark_length(const char *text)
{
    const char *end = text[0] == ']' && text[1] == '(' ? strchr(text, ')') : NULL;
    return end ? (size_t)(end - text) + 1 : strspn(text, "*") + (strchr("[]", text[0]) != NULL);
}

/* Takes away the marks of emphasis, code and links, in place. */
static void strip_marks(char *text)
{
    char *to = text;
    bool in_code = false;
    for (const char *from = text; *from; from++) {
        const size_t mark = in_code ? 0 : mark_length(from);
        if (*from == '`') {
            in_code = !in_code;
        } else if (mark > 0) {
            from += mark - 1;
        } else {
            const bool escapes =
                !in_code && *from == '\\' && from[1] && strchr("\\`*_{}[]()#+-.!|<>", from[1]);
            from += escapes;
            *to++ = *from;
        }
    }
    *to = '\0';
}

/* How many characters of a line begin an item of a list; 0: it is none. */
static size_t item_mark(const char *line)
{
    const size_t blanks = strspn(line, " ");
    const char *mark = line + blanks;
    const size_t digits = strspn(mark, "0123456789");
    if ((mark[0] == '-' || mark[0] == '*') && mark[1] == ' ')
        return blanks + 2;
    return digits > 0 && mark[digits] == '.' && mark[digits + 1] == ' ' ? blanks + digits + 2 : 0;
}

typedef struct {
    FILE *out;
    size_t width;
    char *paragraph; /* collected so far; NULL: nothing */
    size_t indent;
    bool any; /* was written */
    bool gap; /* before what comes next */
} plain_t;

static void flush(plain_t *self)
{
    if (!self->paragraph)
        return;
    if (self->any && self->gap)
        putc('\n', self->out);
    strip_marks(self->paragraph);
    wrap_text(self->out, self->paragraph, self->width, 0, self->indent);
    free(self->paragraph);
    self->paragraph = NULL;
    self->indent = 0;
    self->any = true;
    self->gap = false;
}

static void write_as_it_is(plain_t *self, const char *line)
{
    flush(self);
    if (self->any && self->gap)
        putc('\n', self->out);
    fprintf(self->out, "%s\n", line);
    self->any = true;
    self->gap = false;
}

static void take_line(plain_t *self, const char *line)
{
    const size_t mark = item_mark(line);
    if (line[0] == '\0') {
        flush(self);
        self->gap = true;
    } else if (begins_with(line, "    ") && !self->paragraph && mark == 0) {
        write_as_it_is(self, line);
    } else if (mark > 0 || !self->paragraph) {
        flush(self);
        self->paragraph = memory_string(line);
        self->indent = mark;
    } else {
        char *longer = memory_format("%s\n%s", self->paragraph, line);
        free(self->paragraph);
        self->paragraph = longer;
    }
}

char *explanation_plain(const char *markdown, size_t width)
{
    char *text = NULL;
    size_t size = 0;
    plain_t plain = {.out = memory_stream_open(&text, &size), .width = width};
    bool in_block = false;
    for (char *line = NULL; (line = next_line(&markdown)) != NULL; free(line))
        if (begins_with(line, "```"))
            in_block = !in_block;
        else if (in_block)
            write_as_it_is(&plain, line);
        else if (!begins_with(line, "<!--"))
            take_line(&plain, line);
    flush(&plain);
    memory_stream_close(plain.out);
    return text;
}

char *explanation_text(const rule_t *rule, size_t width)
{
    char *section = section_of(rule);
    char *text = explanation_plain(section, width);
    free(section);
    return text;
}

char *explanation_of_what_to_do(const rule_t *rule, size_t width)
{
    char *section = section_of(rule);
    const char *found = strstr(section, what_to_do);
    char *text = explanation_plain(found ? found + strlen(what_to_do) : "", width);
    free(section);
    return text;
}

char *explanation_without_what_to_do(const rule_t *rule, size_t width)
{
    char *section = section_of(rule);
    char *found = strstr(section, what_to_do);
    if (found)
        *found = '\0';
    char *text = explanation_plain(section, width);
    free(section);
    return text;
}
