/*
 * recording_line: the lines of a recording; recording.h says what they look like.
 *
 * Each line ends with a line feed, followed by a NUL; its size without the NUL is in *size. The
 * caller frees it.
 */
#ifndef STEM_RECORDING_LINE_H
#define STEM_RECORDING_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "monitor/analysis/findings/findings.h"
#include "monitor/model/snapshot.h"

/* The levels of a line around an answer: the line itself, "replies", and what a server's name is
 * for. */
#define RECORDING_LINE_LEVELS 3

/* Maximum size of a line in bytes: longer ones are neither written nor read. */
#define RECORDING_LINE_MAX ((size_t)4 << 30)

/* The last answer of each server in a recording: what a line of changes refers to. */
typedef struct recording_bases recording_bases_t;

recording_bases_t *recording_bases_new(void);

/* Frees them and sets *self to NULL; *self may be NULL. */
void recording_bases_destroy(recording_bases_t **self);

/*
 * Reports the fate of the last line: its answers are the bases from now on; or, if it wasn't
 * written, or begins another file, there are none any more.
 */
void recording_bases_settle(recording_bases_t *self, bool written);

/*
 * The line for a snapshot. bases (may be NULL): write only what changed in each answer since its
 * base, unless full. findings may be NULL. Call recording_bases_settle() afterwards.
 */
char *recording_line(const snapshot_t *snapshot, const findings_t *findings,
                     recording_bases_t *bases, bool full, size_t *size);

/* The line that reports what is missing before it. */
char *recording_lost_line(size_t lost, const struct timespec *since, size_t *size);

/* The line that replaces one that was cut off. */
char *recording_cut_off_line(const char *fragment, size_t fragment_size, size_t *size);

#endif
