/*
 * changes: the differences between an answer of a server and its next one.
 *
 * The stream is the unit: entries of the two answers are matched by name. Everything here points
 * into the two responses, which must live at least as long.
 */
#ifndef STEM_CHANGES_H
#define STEM_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "response/response.h"

typedef enum {
    CHANGE_NEW,     /* only in the later answer; before is NULL */
    CHANGE_CHANGED, /* in both, and not the same */
    CHANGE_REMOVED, /* only in the earlier answer; after is NULL */
    CHANGE_UNSURE   /* only in the later answer, and the earlier one omitted some of that list: it
                       isn't known whether it is new; before is NULL */
} change_kind_t;

typedef struct {
    change_kind_t kind;
    const response_publisher_t *before;
    const response_publisher_t *after;
} publisher_change_t;

typedef struct {
    change_kind_t kind;
    const response_subscription_t *before;
    const response_subscription_t *after;
} subscription_change_t;

typedef struct {
    change_kind_t kind; /* changed: another endpoint, or missed heartbeats */
    const response_channel_t *before;
    const response_channel_t *after;
} channel_change_t;

typedef struct {
    change_kind_t kind; /* never changed: Tango's next attempt alone is no news */
    const response_not_connected_t *before;
    const response_not_connected_t *after;
} not_connected_change_t;

/*
 * Only what is new, changed or removed, sorted by name. If the later answer omitted some of a list,
 * nothing of that list is removed.
 */
typedef struct changes {
    bool first;              /* there was no earlier answer: all is new */
    bool server_restarted;   /* the agent says that this is a new process */
    bool attached_again;     /* it is the same process, and its agent counts anew since the earlier
                                answer: what isn't there any more may show yet */
    bool counts_anew;        /* one of these two: all counts began since the earlier answer */
    bool counters_restarted; /* counts_anew, or the answer has another dialect: no count can be
                                compared with an earlier one, and all streams are changed */
    publisher_change_t *publishers;
    size_t publisher_count;
    subscription_change_t *subscriptions;
    size_t subscription_count;
    channel_change_t *channels;
    size_t channel_count;
    not_connected_change_t *not_connected;
    size_t not_connected_count;
} changes_t;

/* Whether there is news of a subscription whose entry is the same in both answers. */
typedef bool (*changes_has_news_t)(const void *context, const char *topic);

/*
 * Compares two answers of one server; before may be NULL. has_news may be NULL; otherwise
 * subscriptions that it accepts count as changed. Never NULL; the caller owns it.
 */
changes_t *changes_new(const response_t *before, const response_t *after,
                       changes_has_news_t has_news, const void *context);

/* Frees changes (not the responses) and sets *self to NULL; *self may be NULL. */
void changes_destroy(changes_t **self);

/* Whether there is any change. */
bool changes_any(const changes_t *self);

typedef enum {
    COUNT_UNKNOWN, /* one of the two isn't known */
    COUNT_SAME,
    COUNT_UP,
    COUNT_RESTARTED /* it went down: counting started again, and has reached after since */
} count_step_kind_t;

typedef struct {
    count_step_kind_t kind;
    int64_t by; /* how many were counted in between; COUNT_UNKNOWN: 0 */
} count_step_t;

/* The sum of two counts. Counts of hostile servers may overflow; the sum doesn't. */
int64_t changes_sum(int64_t a, int64_t b);

/* The step of a count that only ever grows while its process lives. */
count_step_t changes_count(int64_t before, int64_t after);

/* The step of a count that starts again at 0 after 2^32 - 1, as the server counters do. */
count_step_t changes_server_counter(int64_t before, int64_t after);

#endif
