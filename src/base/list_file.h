/*
 * list_file: files that users write, with an entry on each line.
 */
#ifndef STEM_LIST_FILE_H
#define STEM_LIST_FILE_H

#include <stddef.h>
#include <stdio.h>

/* A longer line is none that a user has written: the file is a device, say, or something binary. */
enum { LIST_FILE_LINE_MAXIMUM = 65536 };

typedef enum { LIST_FILE_LINE, LIST_FILE_END, LIST_FILE_TOO_LONG } list_file_result_t;

/*
 * Reads the next line into line, which has LIST_FILE_LINE_MAXIMUM bytes. At the end, ferror() says
 * whether it is one.
 */
list_file_result_t list_file_next(FILE *file, char *line);

/*
 * Cuts off blanks around a line, and a comment: a '#' begins one at the start of the line or after
 * a blank. Returns what is left, in the line itself; "" if it says nothing.
 */
char *list_file_trim(char *line);

#endif
