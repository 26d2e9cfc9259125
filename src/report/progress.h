/*
 * progress: a line on the terminal that says how much of the recordings was read. There is nothing
 * of it when that is quick.
 */
#ifndef STEM_PROGRESS_H
#define STEM_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    int fd;
    bool is_on;
    bool is_shown;
    int64_t begun_ns;
    int64_t drawn_ns; /* 0: never */
} progress_t;

/* On fd, if that is a terminal, unless quiet. */
progress_t progress_of(int fd, bool quiet);

/* Shows that so much was read (part: of all, or NAN: not known; bytes: in all, or 0; polls), at
 * most a few times a second. */
void progress_show(progress_t *self, double part, int64_t bytes, int64_t polls);

/* Clears the line for something else. */
void progress_clear(progress_t *self);

/* The line for a terminal of that width. The caller frees it. */
char *progress_text(double part, double bytes_read, int64_t polls, double seconds, size_t width);

#endif
