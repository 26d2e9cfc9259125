/*
 * losses: how many events each subscription has lost.
 *
 * Our agent counts them. For other servers, and for what the agent can't see, the number is derived
 * here, and nowhere else, from counters that every answer has:
 *
 *   - A publisher numbers the events of a stream. What the number of the last event received
 *     (server_counter) grew from one answer to the next, less what was received meanwhile
 *     (event_count), is what is missing.
 *   - Where the publisher is watched as well, its own count takes the place of the number of an
 *     event that has not come yet: before a subscription's first event, and when the publisher is
 *     another process from now on.
 *
 * What these counters don't show is not guessed: the number is a minimum then, or unknown.
 */
#ifndef STEM_LOSSES_H
#define STEM_LOSSES_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "monitor/model/snapshot.h"

typedef enum {
    LOSS_UNKNOWN, /* nothing tells */
    LOSS_COUNTED, /* by the agent */
    LOSS_DERIVED  /* here; what the agent counted included */
} loss_source_t;

typedef struct {
    loss_source_t source;
    int64_t lost;    /* events; RESPONSE_UNKNOWN with LOSS_UNKNOWN. Of the agent's, all since
                        the subscription was made; of others, those since `since` */
    bool is_minimum; /* more may be lost */
    int64_t derived; /* those that weren't counted by the agent, and also those of subscriptions
                        that were there before this one, so that it never falls; also with
                        LOSS_UNKNOWN */
    int64_t derived_in_outage; /* of these, those as in outage_step */
    int64_t step;         /* of them, how many since the previous answer; 0 in a server's first */
    bool step_is_minimum; /* more may be lost since then */
    int64_t outage_step; /* of the step, those pushed while the connection was down, or by a process
                            of the publisher that has ended since */
    int64_t overdue_step; /* of the step, those that weren't received by the previous answer */
    int64_t early_step;   /* of the step, those pushed before the subscription's first event came */
    struct timespec since; /* when the subscription was first seen: what was lost before isn't in
                              what is derived */
    int64_t pushed; /* by its publisher; RESPONSE_UNKNOWN: it isn't watched, or has not answered
                       this time */
    int64_t not_received; /* events that its publisher had pushed by its previous answer, and that
                             have not arrived yet: they are on their way, or lost, and not in
                             `lost`. RESPONSE_UNKNOWN: the publisher isn't watched */
    double push_rate; /* the highest rate at which its publisher pushed, in 1/s, between two answers
                         since it had received all that was pushed; 0: not known */
    bool interrupted; /* since the last event, the connection or the publisher is another one */
    bool publisher_changed; /* it is the publisher, as far as is known */
    bool is_news; /* one of these has changed since the previous answer, or events were lost */
} loss_t;

typedef struct losses losses_t;

/* Nothing known yet. Never NULL. */
losses_t *losses_new(void);

/* Frees it and sets *self to NULL; *self may be NULL. */
void losses_destroy(losses_t **self);

/*
 * Takes the next snapshot; previous has the last answer of each server before it (see history.h),
 * or is NULL. Streams that a server no longer has are forgotten.
 */
void losses_update(losses_t *self, const snapshot_t *previous, const snapshot_t *current);

/* Who publishes what, as of losses_update(), for as long as its snapshots live; NULL before. */
const struct published *losses_published(const losses_t *self);

typedef struct server_losses server_losses_t;

/* Those of one server; NULL if it hasn't answered. place is the index to try first. Valid until
 * losses_update(). */
const server_losses_t *losses_of_server(const losses_t *self, const char *server, size_t place);

/*
 * The losses of a subscription in the server's last answer; NULL if there is none, or self is NULL.
 */
const loss_t *losses_find(const server_losses_t *self, const char *topic);

#endif
