/*
 * stray: catches what libraries print while the live view has the terminal: on a screen that is
 * drawn, it would stand between everything else.
 *
 * Standard output and standard error go into a pipe as far as they are the terminal. It is never
 * waited for: what nobody reads in time is lost.
 */
#ifndef STEM_STRAY_H
#define STEM_STRAY_H

#include <stdbool.h>

typedef struct stray stray_t;

/* Begins. NULL if that isn't possible: nothing has changed then. */
stray_t *stray_new(void);

/* Lets output go where it went before. *self is set to NULL; *self may be NULL. */
void stray_destroy(stray_t **self);

/* Readable when there is something. */
int stray_fd(const stray_t *self);

/* Whether standard error is caught, too. */
bool stray_has_errors(const stray_t *self);

/* The next line, without its end, which the caller frees; NULL: there is none (any more). */
char *stray_line(stray_t *self);

/* What there is of a line that hasn't ended, likewise; NULL: nothing. */
char *stray_rest(stray_t *self);

/* Lets output go where it went before, with what nobody has read; for signal handlers. */
void stray_abandon(const stray_t *self);

#endif
