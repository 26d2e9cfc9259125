/*
 * delta: the difference between two JSON objects, as JSON, and how to apply it.
 *
 * A delta is nested like the object: "changes" has the members that are new or have a new value,
 * and objects that are in both are compared recursively; "removed" has those that are gone, with
 * the value true. So {"a": 1, "b": {"c": 2, "d": 3}} becomes {"a": 1, "b": {"c": 4}} by {"changes":
 * {"b": {"c": 4}}, "removed": {"b": {"d": true}}}. Lists, numbers and strings are replaced as a
 * whole. Values are kept as the original text; all texts must be JSON without white space between
 * tokens (see json_text_write_compact()).
 */
#ifndef STEM_DELTA_H
#define STEM_DELTA_H

#include <stddef.h>

/*
 * The members "changes" and, where something is gone, "removed", without braces around them; the
 * caller frees it. NULL if one of the texts is not an object or has duplicate keys: then there is
 * no delta.
 */
char *delta_make(const char *before, size_t before_size, const char *after, size_t after_size);

/*
 * Applies a delta to an object: changes and removed (may be NULL) are the texts of these members.
 * Returns a new string, which the caller frees, and its size; NULL if a text is not an object.
 */
char *delta_apply(const char *before, size_t before_size, const char *changes, size_t changes_size,
                  const char *removed, size_t removed_size, size_t *size);

#endif
