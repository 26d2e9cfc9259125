/*
 * json_member: a text out of a small JSON object that an agent sent. It may be anything.
 */
#ifndef STEM_JSON_MEMBER_H
#define STEM_JSON_MEMBER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The text of the object's member, truncated to the buffer. False, and an empty text, if there is
 * none, or if it isn't a text. NUL and halves of surrogates become '?'.
 */
bool json_member_text(const char *object, const char *key, char *text, size_t size);

#endif
