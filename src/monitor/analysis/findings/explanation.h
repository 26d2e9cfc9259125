/*
 * explanation: what docs/findings.md, which is part of the program, says of a rule.
 */
#ifndef STEM_EXPLANATION_H
#define STEM_EXPLANATION_H

#include <stddef.h>

#include "monitor/analysis/findings/rules.h"

/*
 * Markdown, as far as docs/findings.md uses it, as plain text: paragraphs with an empty line
 * between them, in lines of at most width cells as far as words allow; 0: a paragraph is a line.
 * Comments are left out. The caller frees it.
 */
char *explanation_plain(const char *markdown, size_t width);

/* The rule's section as plain text, without its heading; "" if there is none. Likewise. */
char *explanation_text(const rule_t *rule, size_t width);

/* The same of what to do about it only, and of all but that. */
char *explanation_of_what_to_do(const rule_t *rule, size_t width);
char *explanation_without_what_to_do(const rule_t *rule, size_t width);

#endif
