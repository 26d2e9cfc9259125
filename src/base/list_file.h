/*
 * list_file: files that users write, with an entry on each line.
 */
#ifndef STEM_LIST_FILE_H
#define STEM_LIST_FILE_H

/*
 * Cuts off blanks around a line, and a comment: a '#' begins one at the start of the line or after
 * a blank. Returns what is left, in the line itself; "" if it says nothing.
 */
char *list_file_trim(char *line);

#endif
