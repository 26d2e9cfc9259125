/*
 * usage: what --help prints.
 */
#ifndef LAUNCHER_USAGE_H
#define LAUNCHER_USAGE_H

/* Prints it. Returns an exit status. */
int usage_print(void);

#endif
