#include "base/output.h"

#include <errno.h>
#include <unistd.h>

bool output_write(int fd, const void *data, size_t size, size_t *written)
{
    *written = 0;
    while (*written < size) {
        const ssize_t n = write(fd, (const char *)data + *written, size - *written);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = ENOSPC;
        if (n <= 0)
            return false;
        /* A full disk accepts what still fits; the next write() says why it was short. */
        *written += (size_t)n;
    }
    return true;
}
