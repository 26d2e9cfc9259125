/*
 * top: prints the top streams of all servers.
 */
#ifndef STEM_TOP_H
#define STEM_TOP_H

#include <stdio.h>

#include "monitor/view/summary_options.h"

/* Prints the ranking that options ask for as a table; prefix (may be NULL) is left out of names. */
void top_print(FILE *out, const shown_t *shown, const char *prefix,
               const summary_options_t *options);

#endif
