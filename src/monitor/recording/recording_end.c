#include "monitor/recording/recording_end.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_text.h"
#include "base/memory.h"
#include "monitor/recording/recording_line.h"

/* Where the last line of the file begins: after its last line feed. -1 on failure. */
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

/* Reads a file's content from start to end. NULL on failure. */
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
    if (end->fragment_size > RECORDING_FRAGMENT_MAX) {
        errno = EMSGSIZE;
        return false;
    }
    end->fragment = read_range(fd, end->start, file_size);
    return end->fragment != NULL;
}

static bool is_readable(decompressor_state_t state)
{
    return state != DECOMPRESSOR_BROKEN && state != DECOMPRESSOR_TOO_LARGE;
}

/* Walks over blocks from some offset of a file to its end. */
typedef struct {
    int fd;
    decompressor_t *decompressor;
    char *in;
    char *out;
    off_t at;    /* what was read */
    off_t start; /* after the last complete block */
    size_t size; /* the output after that */
    FILE *copy;  /* gets the output; or NULL */
} walk_t;

enum { PIECE = 65536 };

/* Decompresses what was read last. */
static decompressor_state_t unpack(walk_t *self, size_t left, decompressor_state_t state)
{
    const void *next = self->in;
    size_t written = PIECE;
    /* Output that didn't fit comes with the next call, also without input. */
    while (is_readable(state) && (left > 0 || written == PIECE)) {
        if (left == 0 && state == DECOMPRESSOR_END)
            break;
        state = decompressor_run(self->decompressor, &next, &left, self->out, PIECE, &written);
        self->size += written;
        if (self->copy)
            fwrite(self->out, 1, written, self->copy);
        if (state == DECOMPRESSOR_END) {
            self->start = self->at - (off_t)left;
            self->size = 0;
        }
    }
    return state;
}

/* Goes to the file's end, or as far as it can be read. False if reading failed, and then errno. */
static bool walk(walk_t *self, compression_t kind, decompressor_state_t *state)
{
    self->decompressor = decompressor_new(kind);
    self->in = memory_new(PIECE, 1);
    self->out = memory_new(PIECE, 1);
    *state = DECOMPRESSOR_END;
    ssize_t got = 0;
    while (is_readable(*state) && (got = pread(self->fd, self->in, PIECE, self->at)) > 0) {
        self->at += got;
        *state = unpack(self, (size_t)got, *state);
    }
    const int why = errno;
    decompressor_destroy(&self->decompressor);
    free(self->in);
    free(self->out);
    errno = why;
    return got >= 0;
}

/* What can be read of the incomplete block at end->start. */
static bool read_fragment(int fd, compression_t kind, recording_end_t *end)
{
    decompressor_state_t state = DECOMPRESSOR_END;
    walk_t fragment = {.fd = fd, .at = end->start, .start = end->start};
    fragment.copy = memory_stream_open(&end->fragment, &end->fragment_size);
    const bool good = walk(&fragment, kind, &state);
    memory_stream_close(fragment.copy);
    return good;
}

bool recording_end_of_blocks(int fd, compression_t kind, recording_end_t *end)
{
    decompressor_state_t state = DECOMPRESSOR_END;
    walk_t file = {.fd = fd};
    *end = (recording_end_t){0};
    if (!walk(&file, kind, &state))
        return false;
    end->start = file.start;
    end->torn = state == DECOMPRESSOR_MORE && file.at > file.start;
    end->padded = state == DECOMPRESSOR_PADDING;
    errno = state == DECOMPRESSOR_TOO_LARGE                   ? ENOMEM
            : state == DECOMPRESSOR_BROKEN                    ? EILSEQ
            : end->torn && file.size > RECORDING_FRAGMENT_MAX ? EMSGSIZE
                                                              : 0;
    if (errno != 0)
        return false;
    return !end->torn || read_fragment(fd, kind, end);
}

char *recording_end_mended(const recording_end_t *end, size_t *size, bool *cut_off)
{
    const char *feed = memrchr(end->fragment, '\n', end->fragment_size);
    const size_t whole = feed ? (size_t)(feed - end->fragment) + 1 : 0;
    char *lines = NULL;
    FILE *out = memory_stream_open(&lines, size);
    fwrite(end->fragment, 1, whole, out);
    const char *rest = end->fragment + whole;
    const size_t rest_size = end->fragment_size - whole;
    char *wrong = NULL;
    /* If a block was cut off early, nothing of it may be readable. */
    *cut_off =
        end->fragment_size == 0 ||
        (rest_size > 0 && !json_text_is_valid(rest, rest_size, RECORDING_LINE_LEVELS, &wrong));
    if (*cut_off) {
        size_t line_size = 0;
        char *line = recording_cut_off_line(rest, rest_size, &line_size);
        fwrite(line, 1, line_size, out);
        free(line);
    } else if (rest_size > 0) {
        fwrite(rest, 1, rest_size, out);
        putc('\n', out);
    }
    free(wrong);
    memory_stream_close(out);
    return lines;
}
