/*
 * replay: snapshots from a recording, as if servers were polled now.
 *
 * Also from one of the script that preceded this program, in early 2025: its lines lack their last
 * two braces, its times have no offset from UTC, and its errors may contain line feeds.
 */
#ifndef STEM_REPLAY_H
#define STEM_REPLAY_H

#include <stdbool.h>

#include "monitor/source.h"

typedef struct replay replay_t;

/*
 * Opens a recording; "-" is standard input. It may be compressed, whatever its name is. Waiting for
 * more of it ends silently as soon as stop_fd (or -1) is readable. Returns NULL if that fails, and
 * then *error is one line that names the file; the caller frees it.
 */
replay_t *replay_new(const char *path, int stop_fd, char **error);

/*
 * Whether path is the file that is read, by whatever name; "-": standard output. Only for regular
 * files.
 */
bool replay_reads(const replay_t *self, const char *path);

/* How much of the file was read, from 0 to 1; NAN: not known, since it isn't a regular one. */
double replay_part(const replay_t *self);

/* Whether it is a regular file, so that it can be read once more. */
bool replay_is_file(const replay_t *self);

/* How many lines were skipped so far, since they can't be read. */
size_t replay_broken_lines(const replay_t *self);

/* Closes it, frees everything and sets *self to NULL; *self may be NULL. */
void replay_destroy(replay_t **self);

/* Reads the next line; changes become full answers. *item is the caller's: source_item_clear().
 * False at the end. */
bool replay_next(replay_t *self, source_item_t *item);

/* The replay as a source, which takes it over and destroys it. */
source_t *replay_source(replay_t *self);

#endif
