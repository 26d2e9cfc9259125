/*
 * program: what main() of each program does around its work.
 *
 * A program that links it also gets its standard descriptors filled before anything else opens a
 * file, whoever started it.
 */
#ifndef STEM_PROGRAM_H
#define STEM_PROGRAM_H

/* Says one line on standard error, for before there are messages; frees it. */
void program_complain(const char *program, char *line);

/* To be called after something was printed on standard output: returns the exit status, and says
 * so if it couldn't be written. */
int program_finish_printing(const char *program);

#endif
