#include "monitor/recording/line_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "monitor/recording/compression.h"

enum { PIECE = 65536 };

/* The byte order mark. */
static const char mark[] = "\xef\xbb\xbf";

struct line_reader {
    int fd;
    int stop_fd;
    size_t maximum;
    bool at_end; /* the file has ended */
    bool stopped;
    int error; /* errno of a read that failed, or 0 */
    char *in;  /* the piece that was read last */
    size_t in_at;
    size_t in_end;
    bool begun;                   /* the compression is known */
    decompressor_t *decompressor; /* NULL: not compressed */
    decompressor_state_t state;
    bool full; /* the output was full: there may be more, without more input */
    char *text;
    size_t begin; /* of the line that was returned last */
    size_t start; /* of what wasn't returned yet */
    size_t end;
    size_t capacity;
    size_t number; /* of the line that was returned last */
};

line_reader_t *line_reader_new(const char *path, int stop_fd, size_t maximum, char **error)
{
    /* Waits for a FIFO's writer in a way that a signal can interrupt. */
    const int fd =
        strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    *error = fd < 0 ? memory_string(strerror(errno)) : NULL;
    if (fd < 0)
        return NULL;
    line_reader_t *self = memory_new(1, sizeof *self);
    self->fd = fd;
    self->stop_fd = stop_fd;
    self->maximum = maximum;
    self->in = memory_new(PIECE, 1);
    self->text = memory_new(1, 1); /* so that there is somewhere to look from */
    self->state = DECOMPRESSOR_END;
    return self;
}

void line_reader_destroy(line_reader_t **self)
{
    line_reader_t *reader = *self;
    if (!reader)
        return;
    if (reader->fd != STDIN_FILENO)
        close(reader->fd);
    decompressor_destroy(&reader->decompressor);
    free(reader->in);
    free(reader->text);
    free(reader);
    *self = NULL;
}

int line_reader_fd(const line_reader_t *self)
{
    return self->fd;
}

size_t line_reader_count(const line_reader_t *self)
{
    return self->number;
}

line_reader_end_t line_reader_end(const line_reader_t *self, char **error)
{
    *error = NULL;
    if (self->stopped)
        return LINE_READER_STOPPED;
    if (self->error != 0) {
        *error = memory_string(strerror(self->error));
        return LINE_READER_FAILED;
    }
    switch (self->state) {
    case DECOMPRESSOR_MORE:
        return LINE_READER_CUT_OFF;
    case DECOMPRESSOR_BROKEN:
        return LINE_READER_DAMAGED;
    case DECOMPRESSOR_TOO_LARGE:
        return LINE_READER_TOO_LARGE;
    case DECOMPRESSOR_END:
    case DECOMPRESSOR_PADDING:
        break;
    }
    return LINE_READER_WHOLE;
}

/* ---- bytes ---- */

/* Reads what is available after in_end, and waits for it. False at the end, for whatever reason. */
static bool read_piece(line_reader_t *self)
{
    while (!self->at_end) {
        struct pollfd fds[] = {{.fd = self->fd, .events = POLLIN},
                               {.fd = self->stop_fd, .events = POLLIN}};
        const bool ready = poll(fds, 2, -1) > 0;
        self->stopped = ready && fds[1].revents;
        const ssize_t got = ready && !self->stopped
                                ? read(self->fd, self->in + self->in_end, PIECE - self->in_end)
                                : -1;
        if (got > 0) {
            self->in_end += (size_t)got;
            return true;
        }
        if (got < 0 && !self->stopped && (errno == EINTR || errno == EAGAIN))
            continue;
        self->at_end = true;
        if (got < 0 && !self->stopped)
            self->error = errno;
    }
    return false;
}

/* The first bytes show the compression, and may arrive one at a time. */
static void begin(line_reader_t *self)
{
    while (self->in_end < COMPRESSION_MAGIC_SIZE && read_piece(self)) {
    }
    self->begun = true;
    const compression_t kind = compression_of_data(self->in, self->in_end);
    if (kind != COMPRESSION_NONE)
        self->decompressor = decompressor_new(kind);
}

/* Makes space for a piece after the text. Each byte is moved at most once for each doubling. */
static char *make_space(line_reader_t *self)
{
    if (self->capacity - self->end < PIECE && self->begin > self->capacity / 2) {
        self->start -= self->begin;
        self->end -= self->begin;
        memmove(self->text, self->text + self->begin, self->end);
        self->begin = 0;
    }
    if (self->capacity - self->end < PIECE) {
        self->capacity = self->capacity ? 2 * self->capacity : (size_t)4 * PIECE;
        self->text = memory_resize(self->text, self->capacity, 1);
    }
    return self->text + self->end;
}

static size_t unpack(line_reader_t *self, char *out)
{
    const void *next = self->in + self->in_at;
    size_t left = self->in_end - self->in_at;
    size_t written = 0;
    if (!self->decompressor) {
        memcpy(out, next, left);
        self->in_at = self->in_end;
        return left;
    }
    self->state = decompressor_run(self->decompressor, &next, &left, out, PIECE, &written);
    /* If it neither consumes nor produces anything, it has failed. */
    if (left > 0 && left == self->in_end - self->in_at && written == 0 &&
        self->state == DECOMPRESSOR_MORE)
        self->state = DECOMPRESSOR_BROKEN;
    self->in_at = self->in_end - left;
    self->full = written == PIECE && self->state == DECOMPRESSOR_MORE;
    return written;
}

/* Appends to the text, at most a piece. False at the end. */
static bool more_text(line_reader_t *self)
{
    if (!self->begun)
        begin(self);
    for (;;) {
        if (self->state == DECOMPRESSOR_BROKEN || self->state == DECOMPRESSOR_TOO_LARGE)
            return false;
        if (self->in_at == self->in_end && !self->full) {
            self->in_at = self->in_end = 0;
            if (!read_piece(self))
                return false;
        }
        const size_t size = unpack(self, make_space(self));
        self->end += size;
        if (size > 0)
            return true;
    }
}

/* ---- lines ---- */

/* Skips the rest of a line that is too long: none of it is kept. False if it has no end. */
static bool pass_over(line_reader_t *self)
{
    for (;;) {
        const char *feed = memchr(self->text + self->start, '\n', self->end - self->start);
        if (feed) {
            self->start = (size_t)(feed - self->text) + 1;
            return true;
        }
        self->begin = self->start = self->end = 0;
        if (!more_text(self))
            return false;
    }
}

/* How long the line that begins at text may be. */
static size_t most_of(const line_reader_t *self, const char *text, size_t size)
{
    const bool is_other = size > 0 && *text != '{' && *text != mark[0];
    return is_other && self->maximum > LINE_READER_OTHER_MAX ? LINE_READER_OTHER_MAX
                                                             : self->maximum;
}

bool line_reader_next(line_reader_t *self, line_t *line)
{
    size_t searched = 0;
    size_t most = 0;
    const char *feed = NULL;
    self->begin = self->start;
    for (;;) {
        const size_t size = self->end - self->start;
        if (size > searched)
            feed = memchr(self->text + self->start + searched, '\n', size - searched);
        searched = size;
        most = most_of(self, self->text + self->start, size);
        if (feed || size > most || !more_text(self))
            break;
    }
    if (!feed && (self->end == self->start || self->stopped))
        return false;
    *line = (line_t){.number = ++self->number};
    const size_t size = feed ? (size_t)(feed - self->text) - self->start : self->end - self->start;
    if (size > most) {
        line->text = "";
        line->too_long = true;
        line->partial = !pass_over(self);
        return !self->stopped;
    }
    const size_t skipped =
        size >= 3 && memcmp(self->text + self->start, mark, sizeof mark - 1) == 0 ? 3 : 0;
    line->text = self->text + self->start + skipped;
    line->size = size - skipped;
    line->partial = !feed;
    self->start += size + (feed != NULL);
    return true;
}

void line_reader_put_back(line_reader_t *self)
{
    self->start = self->begin;
    self->number--;
}
