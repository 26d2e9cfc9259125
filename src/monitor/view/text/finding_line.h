/*
 * finding_line: a finding as one line for people.
 */
#ifndef STEM_FINDING_LINE_H
#define STEM_FINDING_LINE_H

#include <stdio.h>

#include "base/terminal.h"
#include "monitor/analysis/findings/findings.h"

/*
 * Prints "FAULT    lost 7 events on a/b/c/d (since 12:00:03)  [overflow]". prefix: left out of all
 * names; NULL: none. how: what is said behind the finding's text.
 *
 * If style has a width, names that make the line longer than that are shortened, and if that isn't
 * enough, words are cut off at the end. Numbers aren't: the line stays too long rather.
 */
void finding_line_print(FILE *out, const finding_t *finding, const char *prefix, const char *how,
                        const text_style_t *style);

/* The prefix that all names with a prefix have that findings are about, such as
 * "tango://HOST:PORT/"; NULL: there is none. The caller frees it. */
char *finding_line_prefix(const finding_t *const *list, size_t count);

/* "35 s" and "35 s in all, 3 times", or "at 12:00:03" of what was seen once. The caller frees it.
 */
char *finding_line_time(const finding_t *finding);

/* "12:00:03" when it began; with the day, if that was another one. The caller frees it. */
char *finding_line_since(const finding_t *finding);

/* Text without the prefix that all names have; NULL: none. The caller frees it. */
char *finding_line_without_prefix(const char *text, const char *prefix);

/* Shortens a printable text to so many cells, in that way. The caller frees it. */
char *finding_line_shorten(const char *text, size_t width);

#endif
