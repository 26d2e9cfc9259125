/*
 * csv_file: a table in a file, by RFC 4180, with a line feed at the end of each row. The file is
 * complete or not there: it is written under another name, and gets its own at the end.
 *
 * Texts may hold anything. What isn't printable is written as '?', so that a row is always one
 * line, and nothing is a formula: a text that a spreadsheet would calculate gets an apostrophe in
 * front.
 */
#ifndef STEM_CSV_FILE_H
#define STEM_CSV_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

/* A text as it stands in a table; "" for NULL. The caller frees it. */
char *csv_cell(const char *text);

/* All 0: none. */
typedef struct {
    FILE *out; /* NULL: not open */
    char *path;
    char *temporary; /* what it is called until then; NULL: it isn't there */
    bool comma;      /* before the next cell */
    int error;       /* errno of what failed first; 0: nothing */
} csv_file_t;

/* Creates it in a directory. False on failure, and then errno. */
bool csv_file_open(csv_file_t *self, const char *directory, const char *name);

/* The next cell of the row. */
void csv_file_text(csv_file_t *self, const char *text);
void csv_file_cell(csv_file_t *self, const char *cell);              /* as csv_cell() gives it */
void csv_file_count(csv_file_t *self, int64_t count);                /* -1: "" */
void csv_file_real(csv_file_t *self, double value);                  /* NAN, infinite: "" */
void csv_file_time(csv_file_t *self, const struct timespec *moment); /* all 0: "" */
void csv_file_boolean(csv_file_t *self, bool value); /* TRUE, FALSE: R takes no others */
void csv_file_end_row(csv_file_t *self);

/* Nothing more is written. False if some of it couldn't be: then errno. */
bool csv_file_close(csv_file_t *self);

/* Gives a closed file its name; what had it is replaced. False on failure, and then errno. */
bool csv_file_publish(csv_file_t *self);

/* Removes it unless it was published, and frees everything. */
void csv_file_clear(csv_file_t *self);

/* Only removes it. */
void csv_file_discard(csv_file_t *self);

#endif
