/*
 * checks: what the monitor has tried out itself, because no answer says it: whether an event
 * channel's endpoint takes connections, whether a publisher's admin device answers.
 *
 * A source adds to a snapshot the newest result of each check whose reason lasts; recordings have
 * them, too. Everything is as seen from where the monitor runs.
 */
#ifndef STEM_CHECKS_H
#define STEM_CHECKS_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/json_output.h"
#include "response/response.h"

typedef enum {
    CHECK_ENDPOINT,  /* subject "tcp://10.0.0.1:38057": connects to it */
    CHECK_DEVICE,    /* subject "tango://host:port/dserver/Pub/1": asks whether it answers */
    CHECK_ATTRIBUTE, /* subject "tango://host:port/a/b/c/attr.change", a subscription that isn't
                        connected: asks whether it could be */
    CHECK_KINDS
} check_kind_t;

typedef enum {
    CHECK_UNDONE,      /* it couldn't be made: text says why */
    CHECK_GOOD,        /* it takes connections; it answers */
    CHECK_REFUSED,     /* nobody listens there */
    CHECK_UNREACHABLE, /* no route to it */
    CHECK_TIMED_OUT,
    CHECK_NO_NAME,     /* no such host, or no such device */
    CHECK_NO_ADDRESS,  /* nothing that can be connected to: 0.0.0.0, say */
    CHECK_NOT_RUNNING, /* its server has ended, crashed, or can't be reached */
    CHECK_NO_ATTRIBUTE,
    CHECK_NO_EVENTS, /* the attribute has none of that type, as it is configured */
    CHECK_OUTCOMES
} check_outcome_t;

/* The one of that name in recordings ("endpoint", ...; "undone", "good", ...), or CHECK_KINDS,
 * CHECK_OUTCOMES. */
check_kind_t check_kind_of(const char *name);
check_outcome_t check_outcome_of(const char *name);

/*
 * The subject of a CHECK_ATTRIBUTE: a subscription that a watched server can't make. Where its
 * answer doesn't say in which database the device is, it is taken to be in the server's own. NULL
 * if there is none. The caller frees it.
 */
char *checks_attribute_subject(const char *server, const response_not_connected_t *subscription);

typedef struct {
    check_kind_t kind;
    char *subject;
    check_outcome_t outcome;
    char *text;           /* one line: what came of it; may hold anything from the network */
    struct timespec time; /* CLOCK_REALTIME, when it was made */
} check_t;

/* All 0: none. */
typedef struct {
    check_t *list; /* by kind and subject, after checks_sort() */
    size_t count;
} checks_t;

/* Adds a copy of a check. */
void checks_add(checks_t *self, const check_t *check);

void checks_sort(checks_t *self);

/* The check of a subject, or NULL; subject may be NULL. */
const check_t *checks_find(const checks_t *self, check_kind_t kind, const char *subject);

/* Frees what a check owns, and empties it. */
void check_clear(check_t *self);
void checks_clear(checks_t *self);

/*
 * Writes them as the value of a key: {kind: {subject: {"outcome": ..., "text": ..., "time": ...}}}.
 */
void checks_write(const checks_t *self, json_output_t *json, const char *key);

#endif
