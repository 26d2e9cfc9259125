/*
 * console: what all commands of ska-tango-event-agent say to their user, and how they end.
 */
#ifndef LAUNCHER_CONSOLE_H
#define LAUNCHER_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

#define PROGRAM "ska-tango-event-agent"

/* Room for a line of error from any part. */
#define ERROR_SIZE 8192

/* As in shells: what a caller expects of a command that starts another. */
enum {
    EXIT_USAGE = 2,
    EXIT_NO_AGENT = 125,
    EXIT_CANNOT_RUN = 126,
    EXIT_NOT_FOUND = 127,
};

/* Prints a line on standard error, after the program's name. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);

/* Whose wrong usage the next function complains of. */
void console_begin(const char *command);

/* Prints a line about wrong usage: after the program's name and the command's, and before where to
 * find more. Returns EXIT_USAGE. */
__attribute__((format(printf, 1, 2))) int complain_of_usage(const char *format, ...);

/* Standard output may be a full disk or a closed pipe: that is not success. Returns an exit status.
 */
int finish_output(void);

/* Whether the agent has such a schema, or log level; says so if it hasn't. */
bool schema_is_known(const char *schema);
bool log_level_is_known(const char *level);

/*
 * Copies another process's text so that it can be shown in a line: '?' replaces what isn't
 * printable in this locale, and what would change the direction of text.
 */
void show_text(const char *text, char *shown, size_t size);

/* How many cells of a terminal it takes. */
size_t shown_width(const char *shown);

#endif
