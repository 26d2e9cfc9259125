/*
 * rotation: when a recording begins a new file, and the name that the old one gets.
 */
#ifndef STEM_ROTATION_H
#define STEM_ROTATION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* Initialise with bytes and seconds, and 0 for all else. */
typedef struct {
    off_t bytes;         /* a file with this many is complete; 0: never by its size */
    int64_t seconds;     /* so is one of an earlier period of this length; 0: never by time */
    int64_t slot;        /* the period that the file belongs to */
    char rotated_at[32]; /* the time in the last name that a file got */
    int rotated_number;  /* and the number after it, or 0 */
} rotation_t;

/* Whether there is any reason to. */
bool rotation_is_on(const rotation_t *self);

/* Begins a file that belongs to that time. */
void rotation_begin(rotation_t *self, time_t time);

/* Whether a file of that size is complete now. */
bool rotation_is_due(const rotation_t *self, off_t size, time_t now);

/* The name that a file gets when its recording continues in a new one; the caller frees it. */
char *rotation_name(rotation_t *self, const char *name, time_t now);

#endif
