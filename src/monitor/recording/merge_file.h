/*
 * merge_file: one of the files that are merged: its next snapshot, and when the one after that is.
 */
#ifndef STEM_MERGE_FILE_H
#define STEM_MERGE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/vector.h"
#include "monitor/recording/replay.h"

/* Begins with these three, and everything else 0. */
typedef struct {
    char *path;
    size_t place;          /* among the names of the command line */
    bool is_input;         /* it is standard input */
    bool is_regular;       /* it is a file on a disk: its size is known */
    dev_t device;          /* of a regular one */
    ino_t inode;           /* likewise */
    int64_t size;          /* likewise */
    bool has_first;        /* it has a snapshot */
    struct timespec first; /* its time */

    replay_t *replay;     /* while it is open */
    bool has_ended;       /* and was closed */
    snapshot_t *next;     /* NULL: none is left */
    struct timespec last; /* the time of the one before that; all 0: none */
    double period;        /* the time from one to the next, the last time, in s; 0: not known */
    double period_before; /* likewise, the time before */
    int64_t broken_lines; /* so far */
    bool knows_shift;
    double shift; /* from its monotonic clock to that of the others, in s */
} merge_file_t;

/*
 * Opens it, and reads on to its first snapshot; closes it if it can be opened once more, otherwise
 * items are as of merge_file_advance(). Returns what is wrong with it, one line, or NULL.
 */
char *merge_file_look(merge_file_t *self, int stop_fd, vector_t *items);

/*
 * Opens it, unless it is open, and reads on to its next snapshot, which must have been taken: its
 * time is `last` from now on. What else there is to say comes into items (source_item_t without
 * snapshots).
 */
void merge_file_advance(merge_file_t *self, int stop_fd, vector_t *items);

/* How much of it was read, in bytes. */
double merge_file_read(const merge_file_t *self);

void merge_file_clear(merge_file_t *self);

#endif
