/*
 * wrap: breaks text for people into lines.
 */
#ifndef STEM_WRAP_H
#define STEM_WRAP_H

#include <stddef.h>
#include <stdio.h>

/*
 * Writes the words of a printable text, with a line feed at the end. Lines have at most width
 * cells, as far as words allow; 0: it is one line. column: so many cells of the first line are
 * taken already; the other lines are indented by indent.
 */
void wrap_text(FILE *out, const char *text, size_t width, size_t column, size_t indent);

#endif
