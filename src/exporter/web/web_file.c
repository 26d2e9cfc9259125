#include "exporter/web/web_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

/* Reads until the end, or size bytes; false and errno after failure. */
static bool read_all(int fd, char *text, size_t size, size_t *done)
{
    ssize_t count = 1;
    *done = 0;
    while (count > 0 && *done < size) {
        count = read(fd, text + *done, size - *done);
        if (count < 0 && errno == EINTR)
            count = 1;
        else if (count > 0)
            *done += (size_t)count;
    }
    return count >= 0;
}

/* What is wrong with a file that isn't a regular one; NULL: it is. */
static const char *fault_of(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return strerror(errno);
    if (S_ISDIR(status.st_mode))
        return strerror(EISDIR);
    return S_ISREG(status.st_mode) ? NULL : "not a regular file, which could be read again";
}

char *web_file_read(const char *path, size_t maximum, const char *too_long, size_t *size,
                    char **error)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const char *fault = fd < 0 ? strerror(errno) : fault_of(fd);
    char *text = memory_new(maximum + 1, 1);
    *size = 0;
    *error = NULL;
    if (!fault && !read_all(fd, text, maximum + 1, size))
        fault = strerror(errno);
    if (fault)
        *error = memory_format("%s: can't read it: %s", path, fault);
    else if (*size > maximum)
        *error = memory_format("%s: %s", path, too_long);
    char *content = *error ? NULL : memory_copy(text, *size);
    explicit_bzero(text, *size); /* it may be a key */
    free(text);
    if (fd >= 0)
        close(fd);
    return content;
}
