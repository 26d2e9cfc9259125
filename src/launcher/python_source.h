/* Finds where a statement can be inserted into the source of a Python module. */
#ifndef LAUNCHER_PYTHON_SOURCE_H
#define LAUNCHER_PYTHON_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#define PYTHON_SOURCE_NOWHERE SIZE_MAX

/*
 * The offset of the first line of text[size] that isn't a comment, the docstring or a "from
 * __future__ import": there a statement can stand without any of these losing its meaning. `size`
 * if the module holds nothing else. Always the beginning of a line, but for `size`.
 * PYTHON_SOURCE_NOWHERE if the module's first lines are written in a way that isn't known here:
 * in an encoding other than UTF-8, ASCII or Latin-1, with a string that isn't plainly the
 * docstring, with more behind a docstring or a future import on its line. Lines end with LF or CR
 * LF; a text with a CR alone is for the caller to refuse. Source: the Python reference, "Lexical
 * analysis" and "Simple statements", "Future statements".
 */
size_t python_source_first_statement(const char *text, size_t size);

#endif
