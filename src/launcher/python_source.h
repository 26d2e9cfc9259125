/* Where a statement can be put into the source of a Python module. */
#ifndef LAUNCHER_PYTHON_SOURCE_H
#define LAUNCHER_PYTHON_SOURCE_H

#include <stddef.h>

/*
 * The offset of the first line of text[size] that isn't a comment, the docstring or a "from
 * __future__ import": there a statement can stand without any of these losing its meaning. `size`
 * if the module holds nothing else, or ends in the midst of a string. Always the beginning of a
 * line, but for `size`. Source: the Python reference, "Simple statements", "Future statements".
 */
size_t python_source_first_statement(const char *text, size_t size);

#endif
