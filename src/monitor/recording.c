#include "monitor/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/output.h"
#include "monitor/recording_end.h"
#include "monitor/recording_line.h"
#include "response/json_text.h"
#include "response/memory.h"

struct recording {
    char *name; /* for messages, and to open it again */
    int fd;     /* -1: it couldn't be opened again yet */
    int stop_fd;
    bool own_fd;
    bool regular;
    bool torn;      /* part of a line stands at the end of the file and couldn't be cut off yet */
    off_t whole;    /* then: the size without it */
    int last_errno; /* why the last snapshot was lost; 0: it wasn't */
    size_t lost;    /* snapshots since the last line that was written */
    struct timespec lost_since;
    compression_t compression;
    off_t rotate_bytes;       /* 0: don't */
    int64_t rotate_seconds;   /* 0: don't */
    int64_t slot;             /* which stretch of that time the file belongs to */
    bool rotation_failing;    /* and that was said */
    int64_t full_every;       /* 0: always */
    int64_t since_full;       /* lines; 0: the next one is to be full */
    recording_bases_t *bases; /* what changes are held against; NULL if full_every is 0 */
};

static bool rotates(const recording_t *self)
{
    return self->rotate_bytes > 0 || self->rotate_seconds > 0;
}

/* Stretches of time begin at multiples of their length in local time: those of a day at midnight.
 */
static int64_t slot_of(const recording_t *self, time_t time)
{
    struct tm local;
    if (self->rotate_seconds == 0 || !localtime_r(&time, &local))
        return 0;
    return (time + local.tm_gmtoff) / self->rotate_seconds;
}

/* Standard output may not be in append mode: without the seek the next line left a hole. */
static bool cut_torn_line(recording_t *self)
{
    if (ftruncate(self->fd, self->whole) != 0 || lseek(self->fd, self->whole, SEEK_SET) < 0)
        return false;
    self->torn = false;
    return true;
}

/*
 * Writes to a regular file all or nothing: what doesn't fit is cut off again. The file's size is
 * asked each time: somebody else may have shortened it (a log rotation that copies and truncates).
 */
static output_result_t write_whole(recording_t *self, const char *line, size_t size)
{
    if (self->torn && !cut_torn_line(self))
        return OUTPUT_FAILED;
    struct stat status;
    if (fstat(self->fd, &status) != 0)
        return OUTPUT_FAILED;
    size_t written = 0;
    const output_result_t result = output_write(self->fd, line, size, self->stop_fd, &written);
    if (result != OUTPUT_DONE && written > 0) {
        const int why = errno;
        self->torn = true;
        self->whole = status.st_size;
        cut_torn_line(self);
        errno = why;
    }
    return result;
}

/* How the file ends; only of a regular one. */
static bool find_end(const recording_t *self, off_t size, recording_end_t *end)
{
    return self->compression == COMPRESSION_NONE
               ? recording_end_of_lines(self->fd, size, end)
               : recording_end_of_blocks(self->fd, self->compression, end);
}

/*
 * Lines that say the same as a torn end: its whole lines as they are, and what is left of the last
 * one as a string.
 */
static char *mended_lines(const recording_end_t *end, size_t *size, bool *cut_off)
{
    const char *feed = memrchr(end->fragment, '\n', end->fragment_size);
    const size_t whole = feed ? (size_t)(feed - end->fragment) + 1 : 0;
    char *lines = NULL;
    FILE *out = memory_stream_open(&lines, size);
    fwrite(end->fragment, 1, whole, out);
    const char *rest = end->fragment + whole;
    const size_t rest_size = end->fragment_size - whole;
    char *wrong = NULL;
    *cut_off = rest_size > 0 && !json_text_is_valid(rest, rest_size, &wrong);
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

/* Makes what stands in a file that is gone on with end with a whole line or block. */
static bool mend_end(recording_t *self, char **note)
{
    struct stat status;
    recording_end_t end;
    if (fstat(self->fd, &status) != 0 || !find_end(self, status.st_size, &end))
        return false;
    bool cut_off = false;
    bool mended = true;
    if (end.torn) {
        size_t size = 0;
        size_t block_size = 0;
        char *lines = mended_lines(&end, &size, &cut_off);
        /* First behind the fragment, to see that it fits: a full disk must not cost the fragment.
         * Then in its place. */
        char *block = compression_block(self->compression, lines, size, &block_size);
        mended = write_whole(self, block, block_size) == OUTPUT_DONE &&
                 ftruncate(self->fd, end.start) == 0 &&
                 write_whole(self, block, block_size) == OUTPUT_DONE;
        free(block);
        free(lines);
    }
    free(end.fragment);
    if (mended && cut_off && note)
        *note = memory_format("%s: its last line was cut off; it is kept under \"cut_off\" in "
                              "a line of its own",
                              self->name);
    return mended;
}

static char *open_error(const char *name, const char *what)
{
    return memory_format("%s: can't record there: %s", name, what);
}

/* Opens the file; its old content is still there. -1 on failure, and then *error. */
static int open_file(const char *path, bool append, char **error)
{
    /* Not O_TRUNC: the file may belong to another monitor. Not blocking: a FIFO that nobody reads
     * would hold us here. Appending needs to read how the file ends. */
    int flags = O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    struct stat status;
    const bool exists = stat(path, &status) == 0;
    const bool regular = !exists || S_ISREG(status.st_mode);
    flags |= append && regular ? O_RDWR : O_WRONLY;
    const int fd = open(path, flags, 0666);
    if (fd >= 0)
        return fd;
    if (errno == ENXIO && exists && S_ISFIFO(status.st_mode))
        *error = open_error(path, "nobody reads this FIFO; start its reader first");
    else
        *error = open_error(path, strerror(errno));
    return -1;
}

/* Takes a regular file for this recording alone, and empties or mends it. */
static bool prepare_file(recording_t *self, bool append, char **error, char **note)
{
    /* A file system without locks is no reason not to record. */
    if (flock(self->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        *error = open_error(self->name, "another monitor is recording into it");
        return false;
    }
    if (append ? mend_end(self, note) : ftruncate(self->fd, 0) == 0)
        return true;
    char *damaged = errno == EILSEQ
                        ? memory_format("what is there is no %s file, or is damaged: move it away",
                                        compression_name(self->compression))
                        : memory_string(strerror(errno));
    *error = open_error(self->name, damaged);
    free(damaged);
    return false;
}

/* Whether path is what standard output goes to, by whatever name: "/dev/stdout", say. */
static bool is_standard_output(const char *path)
{
    struct stat file;
    struct stat output;
    return stat(path, &file) == 0 && fstat(STDOUT_FILENO, &output) == 0 &&
           file.st_dev == output.st_dev && file.st_ino == output.st_ino;
}

/* A new file has no line that changes could be held against. */
static void begin_file(recording_t *self)
{
    struct stat status;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    self->slot = slot_of(self, now.tv_sec);
    if (self->fd >= 0 && self->own_fd && self->regular && fstat(self->fd, &status) == 0 &&
        status.st_size > 0)
        self->slot = slot_of(self, status.st_mtime);
    if (self->bases)
        recording_bases_settle(self->bases, false);
    self->since_full = 0;
}

recording_t *recording_new(const recording_options_t *options, int stop_fd, char **error,
                           char **note)
{
    const char *path = options->path;
    const bool append = options->append;
    *error = NULL;
    if (note)
        *note = NULL;
    const bool to_stdout = strcmp(path, "-") == 0 || is_standard_output(path);
    const int fd = to_stdout ? STDOUT_FILENO : open_file(path, append, error);
    if (fd < 0)
        return NULL;
    recording_t *self = memory_new(1, sizeof *self);
    self->name = memory_string(strcmp(path, "-") == 0 ? "standard output" : path);
    self->fd = fd;
    self->own_fd = !to_stdout;
    self->stop_fd = stop_fd;
    self->compression = to_stdout ? COMPRESSION_NONE : compression_of_name(path);
    self->rotate_bytes = options->rotate_bytes;
    self->rotate_seconds = options->rotate_seconds;
    self->full_every = options->full_every;
    if (options->full_every > 0)
        self->bases = recording_bases_new();
    struct stat status;
    self->regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    /* What the shell opened is the shell's matter: neither emptied nor locked. */
    if (rotates(self) && !(self->own_fd && self->regular))
        *error = open_error(path, "it is no file that could be rotated");
    else if (!self->own_fd || !self->regular || prepare_file(self, append, error, note))
        begin_file(self);
    if (*error)
        recording_destroy(&self);
    return self;
}

void recording_destroy(recording_t **self)
{
    if (!*self)
        return;
    if ((*self)->own_fd && (*self)->fd >= 0)
        close((*self)->fd);
    recording_bases_destroy(&(*self)->bases);
    free((*self)->name);
    free(*self);
    *self = NULL;
}

bool recording_reopen(recording_t *self, char **error)
{
    char *unwanted = NULL;
    char **const why = error ? error : &unwanted;
    *why = NULL;
    if (!self->own_fd || !self->regular)
        return true;
    if (self->fd >= 0)
        close(self->fd);
    self->torn = false;
    self->fd = open_file(self->name, true, why);
    if (self->fd < 0) {
        free(unwanted);
        return false;
    }
    char *note = NULL;
    const bool prepared = prepare_file(self, true, why, &note);
    free(note);
    if (!prepared) {
        close(self->fd);
        self->fd = -1;
    }
    begin_file(self);
    const int reason = errno;
    free(unwanted);
    errno = reason;
    return prepared;
}

/* Whether the file is there no more under any name, or couldn't be opened the last time. */
static bool has_gone(const recording_t *self)
{
    struct stat status;
    return self->own_fd && self->regular &&
           (self->fd < 0 || fstat(self->fd, &status) != 0 || status.st_nlink == 0);
}

/* Writes whole lines, or a block of them. */
static output_result_t write_lines(recording_t *self, const char *lines, size_t size,
                                   size_t *written)
{
    *written = 0;
    if (!self->regular)
        return output_write(self->fd, lines, size, self->stop_fd, written);
    return write_whole(self, lines, size);
}

/* ---- rotation ---- */

/* The name that a file gets when its recording goes on in a new one: with the time in it. */
static char *rotated_name(const char *name, time_t now)
{
    struct tm local;
    char time_text[32] = "0";
    if (localtime_r(&now, &local))
        strftime(time_text, sizeof time_text, "%Y%m%dT%H%M%S", &local);
    const char *slash = strrchr(name, '/');
    const char *dot = strchr(slash ? slash + 2 : name + 1, '.'); /* not the one of ".hidden" */
    const size_t stem = dot ? (size_t)(dot - name) : strlen(name);
    for (int number = 1;; number++) {
        char *again = number > 1 ? memory_format("-%d", number) : memory_string("");
        char *path = memory_format("%.*s-%s%s%s", (int)stem, name, time_text, again, name + stem);
        free(again);
        if (access(path, F_OK) != 0)
            return path;
        free(path);
    }
}

/* Begins a new file where it is time for one. If that fails the old one goes on. */
static bool rotate_if_due(recording_t *self, char **error)
{
    struct stat status;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (!rotates(self) || fstat(self->fd, &status) != 0 || status.st_size == 0)
        return true;
    const bool too_large = self->rotate_bytes > 0 && status.st_size >= self->rotate_bytes;
    const bool too_old = self->rotate_seconds > 0 && slot_of(self, now.tv_sec) != self->slot;
    if (!too_large && !too_old)
        return true;
    char *path = rotated_name(self->name, now.tv_sec);
    const bool rotated = rename(self->name, path) == 0;
    if (!rotated && !self->rotation_failing)
        *error = memory_format("%s: can't rename it to %s: %s: it goes on growing", self->name,
                               path, strerror(errno));
    self->rotation_failing = !rotated;
    free(path);
    return !rotated || recording_reopen(self, NULL);
}

/* Sees to it that there is a file to write to. False if not, and then errno. */
static bool make_ready(recording_t *self, char **error)
{
    const bool stuck =
        self->own_fd && self->regular && self->last_errno != 0 && self->last_errno != ENOSPC;
    if ((has_gone(self) || stuck) && !recording_reopen(self, NULL))
        return false;
    return rotate_if_due(self, error);
}

/* What comes of a snapshot that couldn't be written to a file or device. */
static recording_result_t lose(recording_t *self, const snapshot_t *snapshot, int why, char **error)
{
    if (self->lost++ == 0)
        self->lost_since = snapshot->time;
    if (why != self->last_errno) {
        free(*error);
        *error = memory_format("%s: can't record: %s: snapshots are lost until it works again",
                               self->name, strerror(why));
    }
    self->last_errno = why;
    return RECORDING_LOST;
}

/* The lines for a snapshot, as they come into the file. */
static char *make_block(recording_t *self, const snapshot_t *snapshot, size_t *size)
{
    size_t line_size = 0;
    size_t lost_size = 0;
    char *line = recording_line(snapshot, self->bases, self->since_full == 0, &line_size);
    char *lost = self->lost ? recording_lost_line(self->lost, &self->lost_since, &lost_size) : NULL;
    char *lines = memory_resize(lost, lost_size + line_size, 1);
    memcpy(lines + lost_size, line, line_size);
    free(line);
    *size = lost_size + line_size;
    if (self->compression == COMPRESSION_NONE)
        return lines;
    char *block = compression_block(self->compression, lines, *size, size);
    free(lines);
    return block;
}

recording_result_t recording_write(recording_t *self, const snapshot_t *snapshot, char **error)
{
    *error = NULL;
    if (!make_ready(self, error))
        return lose(self, snapshot, errno, error);
    size_t size = 0;
    size_t written = 0;
    char *block = make_block(self, snapshot, &size);
    const output_result_t result = write_lines(self, block, size, &written);
    const int why = errno;
    free(block);
    if (self->bases)
        recording_bases_settle(self->bases, result == OUTPUT_DONE);
    if (self->full_every > 0)
        self->since_full = result == OUTPUT_DONE ? (self->since_full + 1) % self->full_every : 0;
    switch (result) {
    case OUTPUT_DONE:
        if (self->lost) {
            free(*error);
            *error = memory_format("%s: records again; %zu snapshot%s lost", self->name, self->lost,
                                   self->lost == 1 ? " was" : "s were");
        }
        self->lost = 0;
        self->last_errno = 0;
        return RECORDING_OK;
    case OUTPUT_CLOSED:
        *error = memory_format("%s: its reader has gone: stopping", self->name);
        return RECORDING_CLOSED;
    case OUTPUT_GIVEN_UP:
        *error =
            memory_format("%s: its reader takes no more: the last snapshot is lost", self->name);
        return RECORDING_CLOSED;
    case OUTPUT_FAILED:
        break;
    }
    if (written > 0) { /* part of a line is in a pipe: there is no way back to whole lines */
        *error = memory_format("%s: can't record: %s: stopping", self->name, strerror(why));
        return RECORDING_CLOSED;
    }
    return lose(self, snapshot, why, error);
}

bool recording_is_standard_output(const recording_t *self)
{
    return self->fd == STDOUT_FILENO;
}
