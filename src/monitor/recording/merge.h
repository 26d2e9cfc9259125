/*
 * merge: several recordings as one: what they have at the same time becomes one snapshot, and all
 * come in the order of their times, whichever way the files were named or rotated.
 *
 * Of each file that is being read, one line is in memory; files are open from their first time to
 * their last. A file given twice is read once. Where two files have answers of the same server, it
 * is as if one monitor had asked more often; of the same moment, the later answer counts. A clock
 * that was set back within a file keeps the order of its lines.
 */
#ifndef STEM_MERGE_H
#define STEM_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "monitor/source.h"

typedef struct merge merge_t;

typedef struct {
    const struct timespec *since; /* NULL: from the beginning. What is earlier becomes one snapshot,
                                     of the last answer of each server, which the next continues */
    const struct timespec *until; /* NULL: to the end */
} merge_options_t;

/*
 * Opens recordings, and reads each up to its first snapshot; "-" is standard input. stop_fd: as of
 * replay_new(). Returns NULL if one of them can't be read or isn't a recording, and then *error is
 * one line that names it; the caller frees it. An empty file is a recording.
 */
merge_t *merge_new(char *const *paths, size_t count, const merge_options_t *options, int stop_fd,
                   char **error);

/* Closes them, frees everything and sets *self to NULL; *self may be NULL. */
void merge_destroy(merge_t **self);

/* The first snapshot's time. False if there is none. */
bool merge_begin(const merge_t *self, struct timespec *begin);

/* Sets since and until, as in the options; before anything was read. */
void merge_limit(merge_t *self, const merge_options_t *options);

/* Whether a path, "-" for standard output, is one of the files, by whatever name. */
bool merge_reads(const merge_t *self, const char *path);

/* How many files are read; those that were given twice count once. */
size_t merge_file_count(const merge_t *self);

/* How much of all files was read, from 0 to 1; NAN: not known, since not all are regular ones. */
double merge_part(const merge_t *self);

/* The bytes of all files; 0: not known. */
int64_t merge_size(const merge_t *self);

/* How many lines were passed over so far, since they can't be read. */
int64_t merge_broken_lines(const merge_t *self);

/* All files as a source, which takes them over and destroys them. */
source_t *merge_source(merge_t *self);

#endif
