/*
 * nearest: which of some words somebody may have meant.
 */
#ifndef STEM_NEAREST_H
#define STEM_NEAREST_H

#include <stddef.h>

/*
 * Of count words the nearest ones to a misspelt one, at most three, for a message: "a, b or c".
 * NULL: none is near. The caller frees it.
 */
char *nearest_words(const char *misspelt, const char *const *words, size_t count);

#endif
