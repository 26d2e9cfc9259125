/*
 * replay: snapshots from a recording, as if they were asked for now.
 */
#ifndef STEM_REPLAY_H
#define STEM_REPLAY_H

#include <stdbool.h>

#include "monitor/snapshot.h"

typedef struct replay replay_t;

/*
 * Opens a recording; "-" is standard input. It may be compressed, whatever its name is. While more
 * of it is waited for, it ends without a word as soon as stop_fd (or -1) is readable. Returns NULL
 * if that fails, and then *error is one line that names the file; the caller frees it.
 */
replay_t *replay_new(const char *path, int stop_fd, char **error);

/*
 * Whether path is the file that is read, by whatever name; "-": standard output. Never for what is
 * no regular file.
 */
bool replay_reads(const replay_t *self, const char *path);

/* Closes it, frees everything and sets *self to NULL; *self may be NULL. */
void replay_destroy(replay_t **self);

/*
 * Goes on by a line. *snapshot is what it holds, owned by the caller, or NULL; lines of changes
 * come out whole. *note is NULL, or a line about what is missing or can't be read, which the caller
 * frees; *damaged says whether the file lost it, not whoever recorded it. False at the end.
 */
bool replay_next(replay_t *self, snapshot_t **snapshot, char **note, bool *damaged);

#endif
