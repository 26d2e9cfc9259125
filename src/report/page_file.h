/*
 * page_file: a file that is there completely, or not at all: it gets its name once all of it is on
 * the disk. Until then its content is in another one beside it.
 */
#ifndef STEM_PAGE_FILE_H
#define STEM_PAGE_FILE_H

#include <stdbool.h>
#include <stdio.h>

typedef struct {
    FILE *out;       /* to write to */
    char *path;      /* of the file */
    char *temporary; /* beside it; NULL: path isn't a regular file, and is written itself */
} page_file_t;

/* "-" is standard output. False if that fails: *error is one line, which the caller frees. */
bool page_file_open(page_file_t *self, const char *path, char **error);

/* Ends it: all of it is written, or, as for page_file_open(), nothing is left. */
bool page_file_close(page_file_t *self, char **error);

#endif
