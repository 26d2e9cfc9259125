/*
 * recording_line: the lines of a recording; recording.h says what they look like.
 *
 * Each line ends with a line feed and has a NUL after it; its bytes without the NUL are in *size.
 * The caller frees it.
 */
#ifndef STEM_RECORDING_LINE_H
#define STEM_RECORDING_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "monitor/snapshot.h"

/* The answers that a recording has of each server: what a line of changes is held against. */
typedef struct recording_bases recording_bases_t;

recording_bases_t *recording_bases_new(void);

/* Frees them and sets *self to NULL; *self may be NULL. */
void recording_bases_destroy(recording_bases_t **self);

/*
 * Says what became of the line that was made last: its answers are the bases from now on; or, if it
 * wasn't written, or begins another file, there are none any more.
 */
void recording_bases_settle(recording_bases_t *self, bool written);

/*
 * The line for a snapshot. bases (may be NULL): write of each answer only what changed since its
 * base, unless full. Call recording_bases_settle() then.
 */
char *recording_line(const snapshot_t *snapshot, recording_bases_t *bases, bool full, size_t *size);

/* The line that says what is missing before it. */
char *recording_lost_line(size_t lost, const struct timespec *since, size_t *size);

/* The line that takes the place of one that was cut off. */
char *recording_cut_off_line(const char *fragment, size_t fragment_size, size_t *size);

#endif
