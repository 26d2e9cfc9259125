/*
 * output: writes whole blocks of bytes without ever hanging.
 *
 * The monitor waits for its signals in one place, with the signals blocked. A write to a pipe that
 * nobody reads, or to a stopped terminal, would block out of their reach. So whatever is no regular
 * file is written in pieces small enough not to block once poll() says that there is room.
 */
#ifndef STEM_OUTPUT_H
#define STEM_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

typedef enum {
    OUTPUT_DONE,
    OUTPUT_FAILED,  /* errno says why; also after a short write */
    OUTPUT_CLOSED,  /* the reader has gone (EPIPE). SIGPIPE has to be ignored */
    OUTPUT_GIVEN_UP /* stop_fd became readable, and the reader didn't read any more */
} output_result_t;

/*
 * Writes size bytes to fd. Once stop_fd (-1: none) is readable, it waits half a second at most for
 * room. *written (may be NULL) is how many bytes were written, also on failure. To a regular file
 * it makes one write().
 */
output_result_t output_write(int fd, const void *data, size_t size, int stop_fd, size_t *written);

#endif
