/*
 * recording: snapshots as lines of JSON in a file.
 *
 *   {"time": "2026-03-01T12:00:00.000000+01:00",
 *    "replies": {"dserver/Pub/1": {"data": <the answer as it came>},
 *                "dserver/Sub/1": {"error": "no answer within 3 s"}}}
 *
 * One object per line. An answer is embedded as it came: numbers, escapes and order of keys are the
 * server's, only the white space between them is taken out. An answer that is no JSON is recorded
 * as
 * {"error": why, "text": the answer, with U+FFFD for bytes that are not UTF-8}.
 *
 * After snapshots were lost (a full disk, say), the next line that can be written is preceded by
 *
 *   {"time": now, "replies": {}, "lost_snapshots": 7, "lost_since": when the first was taken}
 *
 * With changes only, an answer that was in an earlier line, too, is
 *
 *   {"changes": {<what is new or other>}, "removed": {<what is gone>}}
 *
 * as delta.h says. Nothing depends on a line of another file, or from before a "lost_snapshots".
 *
 * The file is always a whole number of lines: a line is built in memory and written at once, and
 * what a failed write left of it is cut off again.
 */
#ifndef STEM_RECORDING_H
#define STEM_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "monitor/snapshot.h"

typedef struct recording recording_t;

typedef enum {
    RECORDING_OK,
    RECORDING_LOST,  /* this snapshot couldn't be written; a later one may */
    RECORDING_CLOSED /* the reader of a pipe has gone: nothing more can be written, ever */
} recording_result_t;

typedef struct {
    const char *path;     /* "-", or any name of what standard output goes to: that */
    bool append;          /* go on at the file's end; otherwise it is emptied */
    int64_t rotate_bytes; /* begin a new file when it has so many bytes; 0: never */
    int64_t
        rotate_seconds; /* and with each new stretch of so many seconds of local time; 0: never */
    int64_t full_every; /* write only changes, but of each so many lines one whole; 0: all whole */
} recording_options_t;

/*
 * Opens a file for recording. Its name's ending (".gz", ".zst", ".xz") says whether it is
 * compressed: each line by itself then, so that no other is lost when the program is killed.
 *
 * If the last line of a file that is gone on with is cut
 * off (its writer was killed, or the machine stopped), the fragment is replaced by a line of its
 * own,
 * {"time": now, "replies": {}, "cut_off": "<the fragment as a string>"}: nothing is lost, and every
 * line stays JSON. Two monitors can't record into one file at the same time.
 * stop_fd: while it is readable, a pipe that takes no more bytes is given up; see output.h.
 *
 * A file that is complete is renamed: "a/b.jsonl.gz" to "a/b-20260301T120000.jsonl.gz".
 *
 * Returns a new recording, or NULL, and then *error is one line that names the file; the caller
 * frees it. *note (may be NULL) becomes a line worth telling the user, or NULL; the caller frees
 * it.
 */
recording_t *recording_new(const recording_options_t *options, int stop_fd, char **error,
                           char **note);

/* Closes the file, frees everything and sets *self to NULL; *self may be NULL. */
void recording_destroy(recording_t **self);

/*
 * Adds a snapshot. A file that was removed, or whose file system has gone, is opened anew by its
 * name. Unless it returns RECORDING_OK, *error is one line that names the file and says
 * what failed, owned by the caller; NULL if that is what failed the time before, too. With
 * RECORDING_OK *error is NULL, or says that it works again, or that it can't be rotated.
 */
recording_result_t recording_write(recording_t *self, const snapshot_t *snapshot, char **error);

/*
 * Opens the file by its name again, for whoever has moved it away (logrotate): goes on in a file of
 * that name, a new one if there is none. Does nothing to standard output or a pipe. If it fails,
 * *error (may be NULL) is as recording_write()'s, and recording_write() tries again each time.
 */
bool recording_reopen(recording_t *self, char **error);

/* Whether the recording goes to standard output, so that nothing else may. */
bool recording_is_standard_output(const recording_t *self);

#endif
