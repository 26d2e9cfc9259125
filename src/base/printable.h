/*
 * printable: makes text from the network safe to show.
 *
 * Names and errors come from other machines; printed as they are, they could move the cursor of a
 * terminal, recolour it or break a line. Everything that is printed passes through here.
 */
#ifndef STEM_PRINTABLE_H
#define STEM_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Decodes the character that text, which isn't empty, begins with. Returns how many bytes it takes,
 * or 0 if they are not UTF-8: overlong forms, surrogates and code points beyond Unicode aren't. The
 * NUL at the end of a string ends a truncated character.
 */
size_t printable_decode(const char *text, uint32_t *character);

/* Writes a character as UTF-8, 1 to 4 bytes without a NUL; returns how many. */
size_t printable_encode(uint32_t character, char *text);

/* Whether it may be shown; see printable_copy(). */
bool printable_shows(uint32_t character);

/* How many terminal cells a character that may be shown takes: 0, 1 or 2. */
size_t printable_cells(uint32_t character);

/*
 * A copy of text in which a '?' replaces everything that is not a printable character: bytes that
 * are not UTF-8, control characters (C0, DEL, C1, line and paragraph separators) and characters
 * that change the direction of text or have no shape. Without utf8, every other character beyond
 * ASCII is a '?' too. The caller frees it.
 */
char *printable_copy(const char *text, bool utf8);

/* How many terminal cells a printable text takes: 0 for combining marks, 2 for wide characters. */
size_t printable_width(const char *text);

/*
 * A copy of a printable text that takes at most width cells (at least 1): the excess is cut out
 * before its last third and marked ("..." or, with utf8, an ellipsis). The caller frees it.
 */
char *printable_shorten(const char *text, size_t width, bool utf8);

/* Whether the locale that setlocale() chose writes UTF-8. */
bool printable_locale_is_utf8(void);

/* "±" where the locale can write it, "+/-" elsewhere. */
const char *printable_plus_minus(void);

#endif
