/*
 * recording: snapshots as lines of JSON in a file.
 *
 *   {"time": "2026-03-01T12:00:00.000000+01:00",
 *    "replies": {"dserver/Pub/1": {"data": <the answer as it came>},
 *                "dserver/Sub/1": {"error": "no answer within 3 s"}}}
 *
 * One object per line. An answer is embedded as received: numbers, escapes and order of keys are
 * the server's, only the white space between them is removed. An answer that is not JSON is
 * recorded as {"error": why, "text": the answer, with U+FFFD for bytes that are not UTF-8}.
 *
 * After snapshots were lost (a full disk, say, or a pipe that nobody read), the next line that can
 * be written is preceded by
 *
 *   {"time": now, "replies": {}, "lost_snapshots": 7, "lost_since": when the first was taken}
 *
 * With changes only, an answer of a server that was in an earlier line is
 *
 *   {"changes": {<what is new or changed>}, "removed": {<what is gone>}}
 *
 * as delta.h says. Nothing depends on a line of another file, or from before a "lost_snapshots".
 *
 * The file always consists of complete lines: a line is built in memory and written at once, and an
 * incomplete line that a failed write left is cut off again. A file that isn't regular, mostly a
 * pipe, is written to by an outlet (outlet.h): nobody waits for its reader, and a line that was
 * begun is finished later.
 */
#ifndef STEM_RECORDING_H
#define STEM_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "monitor/sink.h"

typedef struct recording recording_t;

typedef struct {
    const char *path;       /* "-", or any name of standard output's file: standard output */
    bool append;            /* append to the file; otherwise it is emptied */
    int64_t rotate_bytes;   /* begin a new file when it has this many bytes; 0: never */
    int64_t rotate_seconds; /* and with each new period of this length, in local time; 0: never */
    bool waits;             /* for the reader of a pipe, rather than lose a snapshot */
    int64_t full_every; /* write only changes, but every so many lines a full one; 0: all full */
} recording_options_t;

/*
 * Opens a file for recording. The suffix of its name (".gz", ".zst", ".xz") decides whether it is
 * compressed: each line by itself, so that no other line is lost when the program is killed.
 *
 * When it appends to a file whose last line is incomplete (its writer was killed, or the machine
 * crashed), the fragment is replaced by a line of its own, {"time": now, "replies": {}, "cut_off":
 * "<the fragment as a string>"}: nothing is lost, and every line stays JSON. If the fragment is
 * compressed, the string contains what can be decompressed of it, maybe nothing. Two monitors can't
 * record into the same file at the same time. stop_fd: once it is readable, the reader of a pipe is
 * no longer waited for; see outlet.h.
 *
 * A file that is complete is renamed: "a/b.jsonl.gz" to "a/b-20260301T120000.jsonl.gz", further
 * ones of the same second to "a/b-20260301T120000n000001.jsonl.gz" and so on, so that the names
 * sort by time. If it is a symbolic link, its target is renamed.
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
 * Adds a snapshot. A file that was removed, emptied or truncated, or whose file system has gone, is
 * reopened by name, and gets a full line first. Unless it returns SINK_OK, *error is one line that
 * names the file and says what failed, owned by the caller; NULL if the same failed the last time.
 * With SINK_OK *error is NULL, or says that it works again, or that it can't be rotated.
 */
sink_result_t recording_write(recording_t *self, const snapshot_t *snapshot,
                              const findings_t *findings, char **error);

/*
 * Adds a line of another recording, including its line feed, that has no snapshot but reports what
 * is missing. Returns as recording_write() does.
 */
sink_result_t recording_write_remark(recording_t *self, const char *line, size_t size,
                                     char **error);

/*
 * Waits until the reader of a pipe has taken everything; when the monitor was told to stop, before
 * (told) or now, a short grace only. Unless it returns SINK_OK, *error says what is lost.
 */
sink_result_t recording_finish(recording_t *self, bool told, char **error);

/*
 * Reopens the file by name, after somebody has moved it away (logrotate): goes on in a file of that
 * name, a new one if there is none. Does nothing to standard output or a pipe. If it fails, *error
 * (may be NULL) is as recording_write()'s, and recording_write() tries again each time.
 */
bool recording_reopen(recording_t *self, char **error);

/* Whether path is standard output's file, by whatever name: "-", "/dev/stdout". */
bool recording_goes_to_standard_output(const char *path);

#endif
