/*
 * options: the options of a command, as getopt_long() reads them, with messages that name the
 * command, and with --help.
 */
#ifndef LAUNCHER_OPTIONS_H
#define LAUNCHER_OPTIONS_H

#include <getopt.h>

/* A line of each command's table; OPTIONS_LETTERS come before its other letters. */
#define OPTIONS_HELP                                                                               \
    {                                                                                              \
        "help", no_argument, NULL, 'h'                                                             \
    }
#define OPTIONS_LETTERS ":h"

/*
 * The value of the next option, as getopt_long() has it. -1: there is none any more, and *status
 * isn't changed; or the command has to end with *status, an exit status: help was printed, or a
 * complaint of an option.
 */
int options_next(int argc, char **argv, const char *letters, const struct option *options,
                 int *status);

#endif
