/*
 * library: the agent's file, in memory, as attach loads it into other processes.
 */
#ifndef LAUNCHER_LIBRARY_H
#define LAUNCHER_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/entry/late_options.h"

typedef struct {
    void *data;
    size_t size;
    late_options_t *options; /* in data; is_late is set */
} library_t;

/* Reads it. False with a line in error; in any case, end it with library_clear(). */
bool library_read(library_t *self, char *error, size_t error_size);

void library_clear(library_t *self);

#endif
