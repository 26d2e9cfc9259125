/*
 * shorten: bounds texts that come from elsewhere and may have any length.
 */
#ifndef STEM_SHORTEN_H
#define STEM_SHORTEN_H

#include <stddef.h>

/*
 * Leaves out the middle of a text that is longer than so many bytes (at least 30), between
 * characters of UTF-8, and puts " ... " there. Frees text if it is another one then, which the
 * caller owns. NULL for NULL.
 */
char *shorten(char *text, size_t maximum);

/* A copy of a text, shortened; NULL for NULL. */
char *shorten_copy(const char *text, size_t maximum);

#endif
