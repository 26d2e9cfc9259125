/*
 * passwords: checks passwords against bcrypt hashes, which is slow on purpose, in a thread of its
 * own.
 *
 * What was right or wrong once is known from then on. Wrong ones that are tried in masses take a
 * quarter of a processor at most, and delay nobody whose password is known.
 */
#ifndef STEM_PASSWORDS_H
#define STEM_PASSWORDS_H

#include <stdbool.h>

#include "exporter/web/connections.h"

typedef struct passwords passwords_t;

typedef enum {
    PASSWORD_RIGHT,
    PASSWORD_WRONG,
    PASSWORD_WAIT, /* it is being checked */
    PASSWORD_BUSY  /* too many are, at least of this client's */
} password_result_t;

typedef struct {
    const char *user;
    const char *password;
    const char *hash;            /* of the user's password */
    bool is_known;               /* there is such a user; else the password is wrong in any case */
    const client_t *client;      /* who asks */
    void *context;               /* for both functions: */
    void (*wait)(void *context); /* called before PASSWORD_WAIT is returned */
    void (*done)(void *context,
                 bool good); /* and this afterwards, in another thread; it must not ask */
} password_question_t;

/* Signals must be blocked by now (signals.h). NULL if there is no thread for it: then *error says
 * why, and the caller frees it. */
passwords_t *passwords_new(char **error);

/* Nothing in the question is used after it has returned, except the context and done. Any thread.
 */
password_result_t passwords_check(passwords_t *self, const password_question_t *question);

/* Ends checking at once: those that wait are told that their password is wrong, and so is everybody
 * who asks from now on. A check that has begun goes on, for seconds perhaps, and tells nobody. */
void passwords_stop(passwords_t *self);

/* Does so, frees everything and sets *self to NULL; *self may be NULL. */
void passwords_destroy(passwords_t **self);

#endif
