/*
 * check_csv: what must hold for tables, whatever is in them.
 */
#ifndef STEM_FUZZ_CHECK_CSV_H
#define STEM_FUZZ_CHECK_CSV_H

#include <stddef.h>
#include <stdint.h>

/*
 * Requires that each row is one line, printable, with as many cells as the first one, that none of
 * them is a formula, and that quotes are as RFC 4180 says. Returns the sum of the last cells of
 * those rows whose last but one is what; NULL: 0.
 */
int64_t check_csv(const char *text, size_t size, const char *what);

#endif
