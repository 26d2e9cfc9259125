/*
 * recording_file: the file of a recording: opens, repairs, writes and rotates it.
 *
 * The file always consists of complete lines, or of compressed blocks of complete lines: an
 * incomplete one that a failed write left is cut off again.
 */
#ifndef STEM_RECORDING_FILE_H
#define STEM_RECORDING_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "monitor/recording/compression.h"
#include "monitor/recording/rotation.h"

/* For the recording to read; is_other is for it to take back. */
typedef struct {
    char *name; /* for messages, and to open it again */
    int fd;     /* -1: it couldn't be opened again yet */
    bool own_fd;
    bool regular;
    bool torn;     /* the file ends with an incomplete line, which couldn't be cut off yet */
    off_t whole;   /* then: the size without it */
    off_t size;    /* the file's minimum size since we wrote to it last */
    bool is_other; /* than when this was false: it has no line that changes could refer to */
    compression_t compression;
    rotation_t rotation;   /* set by the caller, before recording_file_open() */
    bool rotation_failing; /* and that was said */
} recording_file_t;

/*
 * Opens it; recording_new() says more. False on failure, and then *error is one line that names it;
 * call recording_file_clear() in any case.
 */
bool recording_file_open(recording_file_t *self, const char *path, bool append, char **error,
                         char **note);

/* Closes it and frees what it owns. in_use: something still writes to its descriptor, which stays
 * open. */
void recording_file_clear(recording_file_t *self, bool in_use);

/* Writes all or nothing to a regular file. False on failure, and then errno. */
bool recording_file_write(recording_file_t *self, const char *block, size_t size);

/*
 * Makes sure that there is a file to write to: reopens it if it has gone, rotates it if that is
 * due. last_errno: why the last write failed; 0: it didn't. False if there is none, and then errno.
 * *error (otherwise unchanged) is what failed although it can be written to.
 */
bool recording_file_make_ready(recording_file_t *self, int last_errno, char **error);

/* See recording_reopen(). */
bool recording_file_reopen(recording_file_t *self, char **error);

/* Whether path is what standard output goes to, by whatever name: "-", "/dev/stdout". */
bool recording_file_is_standard_output(const char *path);

/* "name: can't record there: what"; the caller frees it. */
char *recording_file_error(const char *name, const char *what);

#endif
