/*
 * The RECORD of a wheel: a line for each of its files, "path,sha256=DIGEST,size", as CSV.
 * Source: the Python packaging user guide, "Recording installed projects" and "Binary distribution
 * format".
 */
#ifndef LAUNCHER_WHEEL_RECORD_H
#define LAUNCHER_WHEEL_RECORD_H

#include <stdbool.h>
#include <stddef.h>

/* One file whose line is to be changed or added. */
typedef struct {
    const char *path;    /* in the new wheel */
    const void *content; /* NULL: RECORD itself, which has neither digest nor size */
    size_t size;
} wheel_file_t;

/*
 * Whether a path in a wheel is written as a path is at its shortest: "tango/x.py", or "tango/" for
 * a folder, but not "/x.py", "tango//x.py", "tango/./x.py" or "../x.py".
 */
bool wheel_record_is_plain(const char *path);

/*
 * Whether a path in a wheel is that of a signature of its RECORD, RECORD.jws or RECORD.p7s, in the
 * wheel's own folder `info`, "NAME-VERSION.dist-info/". RECORD doesn't list them.
 */
bool wheel_record_is_signature(const char *path, const char *info);

/*
 * The RECORD of a wheel that was changed: of the old one's text, paths that begin with old_prefix
 * begin with new_prefix instead; the lines of `files` are replaced, and added if there were none;
 * those of signatures, which RECORD mustn't have, are left out. Returns new text, NUL-terminated,
 * that the caller frees; or NULL and errno: ENOMEM without memory, EINVAL if a line doesn't begin
 * with a plain path, which could be read as another file's.
 */
char *wheel_record_update(const char *text, size_t size, const char *old_prefix,
                          const char *new_prefix, const wheel_file_t *files, size_t file_count);

#endif
