/*
 * messages: writes the monitor's messages to standard error, whether or not anybody reads them.
 */
#ifndef STEM_MESSAGES_H
#define STEM_MESSAGES_H

#include "base/outlet.h"

typedef struct messages messages_t;

/* Writes messages to fd, which begin with the program's name. Signals must already be blocked
 * (signals.h). Never NULL. */
messages_t *messages_new(int fd, const char *program);

/*
 * Writes one line, with the program's name before it. Texts come from the network: the line is made
 * safe for a terminal first. If nobody reads, it may be left out; the next line that is written
 * says how many were. Other threads may do so, too, while no function is set below.
 */
void messages_say(messages_t *self, const char *line);

/* The same, and frees line. */
void messages_say_and_free(messages_t *self, char *line);

/*
 * Sets a function to call before each line, to clear a status line from the terminal; NULL: none.
 */
typedef void (*messages_before_t)(void *context);
void messages_set_before(messages_t *self, messages_before_t before, void *context);

/* From now on lines go to this function first, without the program's name; NULL: no longer. It
 * returns whether that is enough; otherwise they are written, too. */
typedef bool (*messages_instead_t)(void *context, const char *line);
void messages_set_instead(messages_t *self, messages_instead_t instead, void *context);

/* A line as messages_say() writes it, for before there are messages; the caller frees it. */
char *messages_line(const char *program, const char *line);

/* The outlet that writes them. */
outlet_t *messages_outlet(messages_t *self);

/* Gives the reader a short grace. */
void messages_flush(messages_t *self);

/* Does so, frees everything and sets *self to NULL; *self may be NULL. */
void messages_destroy(messages_t **self);

#endif
