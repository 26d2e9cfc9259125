#include "monitor/recording/recording_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/output.h"
#include "monitor/recording/recording_end.h"

/* ---- writing ---- */

/* Standard output may not be in append mode: without the seek, the next line would leave a hole. */
static bool cut_torn_line(recording_file_t *self)
{
    if (ftruncate(self->fd, self->whole) != 0 || lseek(self->fd, self->whole, SEEK_SET) < 0)
        return false;
    self->torn = false;
    return true;
}

/* The file's size is checked each time: somebody else may have truncated it (a log rotation that
 * copies and truncates). */
bool recording_file_write(recording_file_t *self, const char *line, size_t size)
{
    if (self->torn && !cut_torn_line(self))
        return false;
    struct stat status;
    if (fstat(self->fd, &status) != 0)
        return false;
    size_t written = 0;
    const bool done = output_write(self->fd, line, size, &written);
    if (!done && written > 0) {
        const int why = errno;
        self->torn = true;
        self->whole = status.st_size;
        cut_torn_line(self);
        errno = why;
    }
    if (done)
        self->size = status.st_size + (off_t)size;
    return done;
}

/* ---- the end of a file to append to ---- */

/* A file's compression: plain lines after compressed data couldn't be read. */
static compression_t compression_of_file(int fd)
{
    char magic[COMPRESSION_MAGIC_SIZE];
    const ssize_t got = pread(fd, magic, sizeof magic, 0);
    return got > 0 ? compression_of_data(magic, (size_t)got) : COMPRESSION_NONE;
}

/* How the file ends; only for a regular one. */
static bool find_end(const recording_file_t *self, off_t size, recording_end_t *end)
{
    const bool is_compressed = compression_of_file(self->fd) != COMPRESSION_NONE;
    if (is_compressed && self->compression == COMPRESSION_NONE) {
        errno = EILSEQ;
        return false;
    }
    return self->compression == COMPRESSION_NONE
               ? recording_end_of_lines(self->fd, size, end)
               : recording_end_of_blocks(self->fd, self->compression, end);
}

/* Makes the content of a file to append to end with a complete line or block. */
static bool mend_end(recording_file_t *self, char **note)
{
    struct stat status;
    recording_end_t end;
    if (fstat(self->fd, &status) != 0 || !find_end(self, status.st_size, &end))
        return false;
    bool cut_off = false;
    bool mended = !end.padded || ftruncate(self->fd, end.start) == 0;
    if (end.torn) {
        size_t size = 0;
        size_t block_size = 0;
        char *lines = recording_end_mended(&end, &size, &cut_off);
        /* First after the fragment, to see that it fits: a full disk must not cost the fragment.
         * Then in its place. */
        char *block = compression_block(self->compression, lines, size, &block_size);
        mended = recording_file_write(self, block, block_size) &&
                 ftruncate(self->fd, end.start) == 0 &&
                 recording_file_write(self, block, block_size);
        free(block);
        free(lines);
    }
    free(end.fragment);
    if (mended && cut_off && note && end.fragment_size > 0)
        *note = memory_format("%s: its last line was cut off; it is kept under \"cut_off\" in "
                              "a line of its own",
                              self->name);
    else if (mended && cut_off && note)
        *note = memory_format("%s: its last block was cut off, and nothing of it can be read; a "
                              "line with an empty \"cut_off\" takes its place",
                              self->name);
    return mended;
}

/* ---- opening ---- */

bool recording_file_is_standard_output(const char *path)
{
    struct stat file;
    struct stat output;
    if (strcmp(path, "-") == 0)
        return true;
    return stat(path, &file) == 0 && fstat(STDOUT_FILENO, &output) == 0 &&
           file.st_dev == output.st_dev && file.st_ino == output.st_ino;
}

char *recording_file_error(const char *name, const char *what)
{
    return memory_format("%s: can't record there: %s", name, what);
}

/* Opens the file; its old content is still there. -1 on failure, and then *error. */
static int open_file(const char *path, bool append, char **error)
{
    /* Not O_TRUNC: the file may belong to another monitor. Not blocking: a FIFO that nobody reads
     * would block us here. To append, the file's end has to be read. */
    int flags = O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    struct stat status;
    const bool exists = stat(path, &status) == 0;
    const bool regular = !exists || S_ISREG(status.st_mode);
    flags |= append && regular ? O_RDWR : O_WRONLY;
    const int fd = open(path, flags, 0666);
    if (fd >= 0)
        return fd;
    if (errno == ENXIO && exists && S_ISFIFO(status.st_mode))
        *error = recording_file_error(path, "nobody reads this FIFO; start its reader first");
    else
        *error = recording_file_error(path, strerror(errno));
    return -1;
}

/* Why a recording can't append to a file, by errno. */
static char *append_error(const recording_file_t *self)
{
    const int why = errno;
    const compression_t found = compression_of_file(self->fd);
    errno = why;
    if (errno == EMSGSIZE)
        return memory_string(
            "its last line or block is incomplete, and too long to be kept: move it away");
    if (errno == EILSEQ && self->compression == COMPRESSION_NONE)
        return memory_format("the existing file is compressed with %s, so its name must end in %s: "
                             "rename it, or move it away",
                             compression_name(found), compression_ending(found));
    if (errno == EILSEQ)
        return memory_format("the existing file is not a %s file, or is damaged: move it away",
                             compression_name(self->compression));
    return memory_string(strerror(errno));
}

/* Locks a regular file for this recording, and empties or repairs it. */
static bool prepare(recording_file_t *self, bool append, char **error, char **note)
{
    /* A file system without locks is no reason not to record. */
    if (flock(self->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        *error = recording_file_error(self->name, "another monitor is recording into it");
        return false;
    }
    if (append ? mend_end(self, note) : ftruncate(self->fd, 0) == 0)
        return true;
    char *why = append_error(self);
    *error = recording_file_error(self->name, why);
    free(why);
    return false;
}

static void begin(recording_file_t *self)
{
    struct stat status;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    rotation_begin(&self->rotation, now.tv_sec);
    self->size = 0;
    if (self->fd >= 0 && self->regular && fstat(self->fd, &status) == 0) {
        self->size = status.st_size;
        if (self->own_fd && status.st_size > 0)
            rotation_begin(&self->rotation, status.st_mtime);
    }
    self->is_other = true;
}

bool recording_file_open(recording_file_t *self, const char *path, bool append, char **error,
                         char **note)
{
    const bool to_stdout = recording_file_is_standard_output(path);
    const int fd = to_stdout ? STDOUT_FILENO : open_file(path, append, error);
    if (fd < 0)
        return false;
    struct stat status;
    self->name = memory_string(strcmp(path, "-") == 0 ? "standard output" : path);
    self->fd = fd;
    self->own_fd = !to_stdout;
    self->compression = to_stdout ? COMPRESSION_NONE : compression_of_name(path);
    self->regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    /* A file that the shell opened is the shell's business: neither emptied nor locked. */
    if (rotation_is_on(&self->rotation) && !(self->own_fd && self->regular))
        *error = recording_file_error(path, "only a regular file can be rotated");
    else if (!self->own_fd || !self->regular || prepare(self, append, error, note))
        begin(self);
    return *error == NULL;
}

void recording_file_clear(recording_file_t *self, bool in_use)
{
    if (!in_use && self->own_fd && self->fd >= 0)
        close(self->fd);
    free(self->name);
    *self = (recording_file_t){.fd = -1};
}

bool recording_file_reopen(recording_file_t *self, char **error)
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
    const bool prepared = prepare(self, true, why, &note);
    free(note);
    if (!prepared) {
        close(self->fd);
        self->fd = -1;
    }
    begin(self);
    const int reason = errno;
    free(unwanted);
    errno = reason;
    return prepared;
}

/* ---- going on ---- */

/* Whether the file no longer has any name, or couldn't be opened the last time. */
static bool has_gone(const recording_file_t *self)
{
    struct stat status;
    return self->own_fd && self->regular &&
           (self->fd < 0 || fstat(self->fd, &status) != 0 || status.st_nlink == 0);
}

/*
 * The file that the recording's name leads to, with symbolic links resolved, so that they go on
 * pointing to the live file. NULL if it is now another file, or none.
 */
static char *own_path(const recording_file_t *self)
{
    struct stat own;
    struct stat named;
    char *path = realpath(self->name, NULL);
    if (path && fstat(self->fd, &own) == 0 && stat(path, &named) == 0 &&
        own.st_dev == named.st_dev && own.st_ino == named.st_ino)
        return path;
    free(path);
    return NULL;
}

/* Begins a new file if it is time for one. If that fails, the old one is continued. */
static bool rotate_if_due(recording_file_t *self, char **error)
{
    struct stat status;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (!rotation_is_on(&self->rotation) || fstat(self->fd, &status) != 0 || status.st_size == 0)
        return true;
    if (!rotation_is_due(&self->rotation, status.st_size, now.tv_sec))
        return true;
    char *old = own_path(self);
    if (!old) /* somebody has moved it away, as logrotate does */
        return recording_file_reopen(self, NULL);
    char *path = rotation_name(&self->rotation, old, now.tv_sec);
    const bool rotated = rename(old, path) == 0;
    if (!rotated && !self->rotation_failing)
        *error = memory_format("%s: can't rename it to %s: %s: it keeps growing", self->name, path,
                               strerror(errno));
    self->rotation_failing = !rotated;
    free(path);
    free(old);
    return !rotated || recording_file_reopen(self, NULL);
}

/* Whether a file can't grow, which reopening it wouldn't change. */
static bool is_full(int why)
{
    return why == ENOSPC || why == EDQUOT || why == EFBIG;
}

/* Whether somebody has truncated the file since we wrote to it: a log rotation that copies it. */
static bool was_cut(const recording_file_t *self)
{
    struct stat status;
    return self->fd >= 0 && self->regular && fstat(self->fd, &status) == 0 &&
           status.st_size < self->size;
}

bool recording_file_make_ready(recording_file_t *self, int last_errno, char **error)
{
    const bool stuck = self->own_fd && self->regular && last_errno != 0 && !is_full(last_errno);
    const bool cut = was_cut(self);
    if ((has_gone(self) || stuck || (cut && self->own_fd)) && !recording_file_reopen(self, NULL))
        return false;
    if (cut && !self->own_fd) {
        lseek(self->fd, 0,
              SEEK_END); /* if it isn't in append mode: otherwise it would leave a hole */
        begin(self);
    }
    return rotate_if_due(self, error);
}
