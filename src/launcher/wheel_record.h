/*
 * The RECORD of a wheel: a line for each of its files, "path,sha256=DIGEST,size", as CSV.
 * Source: the Python packaging user guide, "Recording installed projects" and "Binary distribution
 * format".
 */
#ifndef LAUNCHER_WHEEL_RECORD_H
#define LAUNCHER_WHEEL_RECORD_H

#include <stddef.h>

/* One file whose line is to be changed or added. */
typedef struct {
    const char *path;    /* in the new wheel */
    const void *content; /* NULL: RECORD itself, which has neither digest nor size */
    size_t size;
} wheel_file_t;

/*
 * The RECORD of a wheel that was changed: of the old one's text, paths that begin with old_prefix
 * begin with new_prefix instead; the lines of `files` are made anew, and added if there were none.
 * Returns new text, NUL-terminated, that the caller frees; NULL without memory.
 */
char *wheel_record_update(const char *text, size_t size, const char *old_prefix,
                          const char *new_prefix, const wheel_file_t *files, size_t file_count);

#endif
