/*
 * delta: what is different between two JSON objects, as JSON, and back.
 *
 * A delta has the shape of the object: "changes" holds the members that are new or have another
 * value, with all members of objects that are in both gone through in the same way, and "removed"
 * those that are gone, with true for their value. So {"a": 1, "b": {"c": 2, "d": 3}} becomes
 * {"a": 1, "b": {"c": 4}} by {"changes": {"b": {"c": 4}}, "removed": {"b": {"d": true}}}. Lists,
 * numbers and strings are replaced whole. Values stay text as it came; all texts must be JSON
 * without white space between tokens (see json_text_write_compact()).
 */
#ifndef STEM_DELTA_H
#define STEM_DELTA_H

#include <stddef.h>

/*
 * The members "changes" and, where something is gone, "removed", without braces around them; the
 * caller frees it. NULL if one of the texts is no object or has equal keys: then there is no delta.
 */
char *delta_make(const char *before, size_t before_size, const char *after, size_t after_size);

/*
 * The object that a delta makes of another: changes and removed (may be NULL) are the texts of
 * these members. Returns a new string, which the caller frees, and its size; NULL if a text is no
 * object.
 */
char *delta_apply(const char *before, size_t before_size, const char *changes, size_t changes_size,
                  const char *removed, size_t removed_size, size_t *size);

#endif
