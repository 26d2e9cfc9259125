#include "monitor/recording_end.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "response/memory.h"

/* Where the last line of the file begins: behind its last line feed. -1 on failure. */
static off_t last_line_start(int fd, off_t file_size)
{
    char block[4096];
    off_t end = file_size;
    while (end > 0) {
        const off_t start = end > (off_t)sizeof block ? end - (off_t)sizeof block : 0;
        const ssize_t n = pread(fd, block, (size_t)(end - start), start);
        if (n < end - start) {
            if (n >= 0)
                errno = EIO; /* the file became shorter meanwhile */
            return -1;
        }
        const char *feed = memrchr(block, '\n', (size_t)n);
        if (feed)
            return start + (feed - block) + 1;
        end = start;
    }
    return 0;
}

/* Reads the whole of what a file has from start to end. NULL on failure. */
static char *read_range(int fd, off_t start, off_t end)
{
    const size_t size = (size_t)(end - start);
    char *text = memory_new(size + 1, 1);
    size_t got = 0;
    while (got < size) {
        const ssize_t n = pread(fd, text + got, size - got, start + (off_t)got);
        if (n <= 0) {
            if (n == 0)
                errno = EIO;
            free(text);
            return NULL;
        }
        got += (size_t)n;
    }
    return text;
}

bool recording_end_of_lines(int fd, off_t file_size, recording_end_t *end)
{
    *end = (recording_end_t){.start = last_line_start(fd, file_size)};
    if (end->start < 0)
        return false;
    end->fragment_size = (size_t)(file_size - end->start);
    end->torn = end->fragment_size > 0;
    end->fragment = read_range(fd, end->start, file_size);
    return end->fragment != NULL;
}

/* Adds to what came out of the present block. */
static void add_text(recording_end_t *end, const char *text, size_t size)
{
    end->fragment = memory_resize(end->fragment, end->fragment_size + size + 1, 1);
    memcpy(end->fragment + end->fragment_size, text, size);
    end->fragment_size += size;
    end->fragment[end->fragment_size] = '\0';
}

bool recording_end_of_blocks(int fd, compression_t kind, recording_end_t *end)
{
    enum { PIECE = 65536 };
    *end = (recording_end_t){.fragment = memory_string("")};
    char *in = memory_new(PIECE, 1);
    char *out = memory_new(PIECE, 1);
    decompressor_t *decompressor = decompressor_new(kind);
    off_t at = 0;
    ssize_t got = 0;
    decompressor_state_t state = DECOMPRESSOR_END;
    while (state != DECOMPRESSOR_BROKEN && (got = pread(fd, in, PIECE, at)) > 0) {
        const void *next = in;
        size_t left = (size_t)got;
        size_t written = PIECE;
        at += got;
        /* What didn't fit into out comes with the next call, also without input. */
        while (state != DECOMPRESSOR_BROKEN && (left > 0 || written == PIECE)) {
            if (left == 0 && state == DECOMPRESSOR_END)
                break;
            state = decompressor_run(decompressor, &next, &left, out, PIECE, &written);
            add_text(end, out, written);
            if (state == DECOMPRESSOR_END) {
                end->start = at - (off_t)left;
                end->fragment_size = 0;
                end->fragment[0] = '\0';
            }
        }
    }
    const int why = errno;
    decompressor_destroy(&decompressor);
    free(in);
    free(out);
    if (got >= 0 && state != DECOMPRESSOR_BROKEN) {
        end->torn = state == DECOMPRESSOR_MORE && at > end->start;
        return true;
    }
    free(end->fragment);
    end->fragment = NULL;
    errno = got < 0 ? why : EILSEQ;
    return false;
}
