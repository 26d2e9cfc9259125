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
};

/* ISO 8601 in local time with microseconds and offset, as Python's fromisoformat() takes it. */
static void write_time(FILE *out, const struct timespec *time)
{
    struct tm local;
    char text[40] = "";
    char zone[8] = "+0000";
    if (localtime_r(&time->tv_sec, &local)) {
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &local);
        strftime(zone, sizeof zone, "%z", &local);
    }
    fprintf(out, "\"%s.%06ld%.3s:%s\"", text, time->tv_nsec / 1000, zone, zone + 3);
}

static void write_reply(FILE *out, const reply_t *reply)
{
    if (!reply->data) {
        const char *error = reply->error ? reply->error : "no answer";
        fputs("{\"error\":", out);
        json_text_write_string(out, error, strlen(error));
        putc('}', out);
        return;
    }
    char *wrong = NULL;
    /* What could be parsed is as strictly JSON as that. */
    if (reply->response || json_text_is_valid(reply->data, reply->data_size, &wrong)) {
        fputs("{\"data\":", out);
        json_text_write_compact(out, reply->data, reply->data_size);
    } else {
        char *error = memory_format("the answer is no JSON: %s", wrong);
        fputs("{\"error\":", out);
        json_text_write_string(out, error, strlen(error));
        fputs(",\"text\":", out);
        json_text_write_string(out, reply->data, reply->data_size);
        free(error);
    }
    free(wrong);
    putc('}', out);
}

char *recording_line(const snapshot_t *snapshot, size_t *size)
{
    char *line = NULL;
    FILE *out = memory_stream_open(&line, size);
    fputs("{\"time\":", out);
    write_time(out, &snapshot->time);
    fputs(",\"replies\":{", out);
    for (size_t i = 0; i < snapshot->reply_count; i++) {
        const reply_t *reply = &snapshot->replies[i];
        if (i > 0)
            putc(',', out);
        json_text_write_string(out, reply->server, strlen(reply->server));
        putc(':', out);
        write_reply(out, reply);
    }
    fputs("}}\n", out);
    memory_stream_close(out);
    return line;
}

/* Begins a line that holds no snapshot; what it has to say comes behind a comma. */
static FILE *open_note(char **line, size_t *size)
{
    FILE *out = memory_stream_open(line, size);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    fputs("{\"time\":", out);
    write_time(out, &now);
    fputs(",\"replies\":{}", out);
    return out;
}

/* The line that says what is missing before it. */
static char *lost_line(const recording_t *self, size_t *size)
{
    char *line = NULL;
    FILE *out = open_note(&line, size);
    fprintf(out, ",\"lost_snapshots\":%zu,\"lost_since\":", self->lost);
    write_time(out, &self->lost_since);
    fputs("}\n", out);
    memory_stream_close(out);
    return line;
}

/* The line that takes the place of a fragment. */
static char *cut_off_line(const char *fragment, size_t fragment_size, size_t *size)
{
    char *line = NULL;
    FILE *out = open_note(&line, size);
    fputs(",\"cut_off\":", out);
    json_text_write_string(out, fragment, fragment_size);
    fputs("}\n", out);
    memory_stream_close(out);
    return line;
}

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

/* Makes what stands in a file that is gone on with end with a whole line. */
static bool mend_last_line(recording_t *self, char **note)
{
    struct stat status;
    if (fstat(self->fd, &status) != 0)
        return false;
    const off_t start = last_line_start(self->fd, status.st_size);
    if (start < 0)
        return false;
    if (start == status.st_size)
        return true;
    const size_t size = (size_t)(status.st_size - start);
    char *fragment = read_range(self->fd, start, status.st_size);
    if (!fragment)
        return false;
    char *wrong = NULL;
    const bool whole = json_text_is_valid(fragment, size, &wrong);
    free(wrong);
    bool mended = false;
    if (whole) {
        mended = write_whole(self, "\n", 1) == OUTPUT_DONE;
    } else {
        size_t line_size = 0;
        char *line = cut_off_line(fragment, size, &line_size);
        /* First behind the fragment, to see that it fits: a full disk must not cost the fragment.
         * Then in its place. */
        char *both = memory_format("\n%s", line);
        mended = write_whole(self, both, line_size + 1) == OUTPUT_DONE &&
                 ftruncate(self->fd, start) == 0 &&
                 write_whole(self, line, line_size) == OUTPUT_DONE;
        free(both);
        free(line);
        if (mended && note)
            *note = memory_format("%s: its last line was cut off; it is kept under \"cut_off\" in "
                                  "a line of its own",
                                  self->name);
    }
    free(fragment);
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
    if (append ? mend_last_line(self, note) : ftruncate(self->fd, 0) == 0)
        return true;
    *error = open_error(self->name, strerror(errno));
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

recording_t *recording_new(const char *path, bool append, int stop_fd, char **error, char **note)
{
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
    struct stat status;
    self->regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    /* What the shell opened is the shell's matter: neither emptied nor locked. */
    if (self->own_fd && self->regular && !prepare_file(self, append, error, note))
        recording_destroy(&self);
    return self;
}

void recording_destroy(recording_t **self)
{
    if (!*self)
        return;
    if ((*self)->own_fd && (*self)->fd >= 0)
        close((*self)->fd);
    free((*self)->name);
    free(*self);
    *self = NULL;
}

bool recording_reopen(recording_t *self, char **error)
{
    *error = NULL;
    if (!self->own_fd || !self->regular)
        return true;
    if (self->fd >= 0)
        close(self->fd);
    self->torn = false;
    self->fd = open_file(self->name, true, error);
    if (self->fd < 0)
        return false;
    char *note = NULL;
    const bool prepared = prepare_file(self, true, error, &note);
    free(note);
    if (!prepared) {
        close(self->fd);
        self->fd = -1;
    }
    return prepared;
}

/* Whether the file is there no more under any name, or couldn't be opened the last time. */
static bool has_gone(const recording_t *self)
{
    struct stat status;
    return self->own_fd && self->regular &&
           (self->fd < 0 || fstat(self->fd, &status) != 0 || status.st_nlink == 0);
}

/* Writes whole lines. */
static output_result_t write_lines(recording_t *self, const char *lines, size_t size,
                                   size_t *written)
{
    *written = 0;
    if (!self->regular)
        return output_write(self->fd, lines, size, self->stop_fd, written);
    if (has_gone(self) || (self->own_fd && self->last_errno != 0 && self->last_errno != ENOSPC)) {
        char *error = NULL;
        const bool opened = recording_reopen(self, &error);
        const int why = errno;
        free(error);
        if (!opened) {
            errno = why;
            return OUTPUT_FAILED;
        }
    }
    return write_whole(self, lines, size);
}

/* What comes of a snapshot that couldn't be written to a file or device. */
static recording_result_t lose(recording_t *self, const snapshot_t *snapshot, int why, char **error)
{
    if (self->lost++ == 0)
        self->lost_since = snapshot->time;
    if (why != self->last_errno)
        *error = memory_format("%s: can't record: %s: snapshots are lost until it works again",
                               self->name, strerror(why));
    self->last_errno = why;
    return RECORDING_LOST;
}

recording_result_t recording_write(recording_t *self, const snapshot_t *snapshot, char **error)
{
    *error = NULL;
    size_t size = 0;
    size_t lost_size = 0;
    char *line = recording_line(snapshot, &size);
    char *lost = self->lost ? lost_line(self, &lost_size) : NULL;
    char *lines = line;
    if (lost) {
        lines = memory_new(lost_size + size, 1);
        memcpy(lines, lost, lost_size);
        memcpy(lines + lost_size, line, size);
        free(line);
        free(lost);
    }
    size_t written = 0;
    const output_result_t result = write_lines(self, lines, lost_size + size, &written);
    const int why = errno;
    free(lines);
    switch (result) {
    case OUTPUT_DONE:
        if (self->lost)
            *error = memory_format("%s: records again; %zu snapshot%s lost", self->name, self->lost,
                                   self->lost == 1 ? " was" : "s were");
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
