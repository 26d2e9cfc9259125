/*
 * line_reader: the lines of a file, a pipe or standard input, compressed or not.
 *
 * It never decompresses more than the next line needs, so its memory depends on the longest line,
 * and its time on the size of the text, however well that was compressed.
 */
#ifndef STEM_LINE_READER_H
#define STEM_LINE_READER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct line_reader line_reader_t;

/* Bytes of the longest line that doesn't begin as a JSON object does: there is no need to keep it.
 */
#define LINE_READER_OTHER_MAX ((size_t)64 << 20)

typedef struct {
    const char *text; /* without the line feed, and not NUL-terminated; valid until the next call */
    size_t size;
    size_t number; /* from 1 */
    bool partial;  /* the last one, and it has no line feed */
    bool too_long; /* longer than the maximum: skipped, and text is empty */
} line_t;

/*
 * Opens a file; "-" is standard input. Its compression is recognised by its first bytes. Waiting
 * for more of it ends as soon as stop_fd (or -1) is readable. maximum: bytes of the longest line
 * that begins with a brace. Returns NULL if the file can't be opened, and then *error says why,
 * without its name; the caller frees it.
 */
line_reader_t *line_reader_new(const char *path, int stop_fd, size_t maximum, char **error);

/* Closes it, frees everything and sets *self to NULL; *self may be NULL. */
void line_reader_destroy(line_reader_t **self);

/* The descriptor that it reads from. */
int line_reader_fd(const line_reader_t *self);

/* The next line; a byte order mark at its beginning is left out. False at the end. */
bool line_reader_next(line_reader_t *self, line_t *line);

/* Makes line_reader_next() return the last line once more. Not twice in a row. */
void line_reader_put_back(line_reader_t *self);

/* How many lines there were so far. */
size_t line_reader_count(const line_reader_t *self);

typedef enum {
    LINE_READER_WHOLE,
    LINE_READER_STOPPED,   /* stop_fd was readable */
    LINE_READER_CUT_OFF,   /* in the middle of a compressed block */
    LINE_READER_DAMAGED,   /* the data can't be decompressed */
    LINE_READER_TOO_LARGE, /* decompression needs more memory than there is, or than is allowed */
    LINE_READER_FAILED     /* reading failed */
} line_reader_end_t;

/* How it ended, after line_reader_next() has returned false; *error says why reading failed, owned
 * by the caller, else it is NULL. */
line_reader_end_t line_reader_end(const line_reader_t *self, char **error);

#endif
