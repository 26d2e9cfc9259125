#include "monitor/output.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/monotonic.h"

/* How long a reader may still take once the monitor was told to stop. */
#define GRACE_MS 500

static int64_t now_ms(void)
{
    return monotonic_ns() / 1000000;
}

/*
 * Waits until fd takes bytes. *give_up_at is 0 until stop_fd was seen readable: then it is when to
 * give up. It stays readable, since it isn't read here, so it's no longer watched from then on.
 */
static output_result_t wait_for_room(int fd, int stop_fd, int64_t *give_up_at)
{
    for (;;) {
        struct pollfd fds[2] = {{.fd = fd, .events = POLLOUT},
                                {.fd = *give_up_at ? -1 : stop_fd, .events = POLLIN}};
        int wait_ms = -1;
        if (*give_up_at) {
            const int64_t left = *give_up_at - now_ms();
            wait_ms = left > 0 ? (int)left : 0;
        }
        const int ready = poll(fds, 2, wait_ms);
        if (ready < 0 && errno != EINTR)
            return OUTPUT_FAILED;
        if (ready == 0)
            return OUTPUT_GIVEN_UP;
        if (ready < 0)
            continue;
        if (fds[0].revents) /* an error too: write() says which one */
            return OUTPUT_DONE;
        *give_up_at = now_ms() + GRACE_MS;
    }
}

output_result_t output_write(int fd, const void *data, size_t size, int stop_fd, size_t *written)
{
    size_t done = 0;
    size_t *const count = written ? written : &done;
    *count = 0;
    struct stat status;
    if (fstat(fd, &status) != 0)
        return OUTPUT_FAILED;
    const bool regular = S_ISREG(status.st_mode);
    int64_t give_up_at = 0;
    while (*count < size) {
        size_t piece = size - *count;
        if (!regular) {
            /* A pipe with room has room for PIPE_BUF bytes: pipe(7). */
            if (piece > PIPE_BUF)
                piece = PIPE_BUF;
            const output_result_t room = wait_for_room(fd, stop_fd, &give_up_at);
            if (room != OUTPUT_DONE)
                return room;
        }
        const ssize_t n = write(fd, (const char *)data + *count, piece);
        if (n < 0 && (errno == EINTR || (errno == EAGAIN && !regular)))
            continue;
        if (n < 0)
            return errno == EPIPE ? OUTPUT_CLOSED : OUTPUT_FAILED;
        if (n == 0) {
            errno = ENOSPC;
            return OUTPUT_FAILED;
        }
        /* A full disk takes what still fits; the next turn learns why it was short. */
        *count += (size_t)n;
    }
    return OUTPUT_DONE;
}
