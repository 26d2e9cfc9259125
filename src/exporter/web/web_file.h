/*
 * web_file: reads the configuration and what belongs to it, again and again while the server runs.
 */
#ifndef STEM_WEB_FILE_H
#define STEM_WEB_FILE_H

#include <stddef.h>

/*
 * The content of a file of at most maximum bytes, owned by the caller, and with a NUL behind it.
 * It never waits: what isn't a regular file is refused. A FIFO may have nobody who writes, and a
 * pipe is empty when it is read again, as if there were no users any more. NULL on failure: then
 * *error is one line, which the caller frees; too_long is the end of it for a larger file.
 */
char *web_file_read(const char *path, size_t maximum, const char *too_long, size_t *size,
                    char **error);

#endif
