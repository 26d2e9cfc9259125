/*
 * loss_entry: what is known of the losses of one subscription, from answer to answer.
 */
#ifndef STEM_LOSS_ENTRY_H
#define STEM_LOSS_ENTRY_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "monitor/analysis/losses.h"

/* One subscription, as it was in its server's last answer. */
typedef struct {
    char *topic;
    char *stream;
    loss_t loss;
    int64_t counter;   /* the number of the last event received; or, before the first one, how many
                          the publisher had pushed; or RESPONSE_UNKNOWN */
    bool before_first; /* it is the latter */
    bool whole;        /* it was first seen so: what is derived covers all since it was made */
    bool exact;        /* no interval since it was first seen is a minimum */
    subscription_counts_t last; /* as far as they were known */
    bool counted_exactly;       /* what the agent counted as lost */
    char *endpoint;             /* of its channel, as last known; or NULL */
    uint64_t resubscribed;      /* of the time when Tango last did; 0: never, as far as is known */
    int64_t derived; /* lost events that the agent didn't count, or that aren't the agent's */
    int64_t derived_in_outage; /* of these, those of a connection that was down */
    int64_t derived_before;    /* these two of subscriptions that were there before this one */
    int64_t derived_in_outage_before;
    int64_t pushed;      /* by the process that counter is of; RESPONSE_UNKNOWN: not watched */
    int64_t pushed_anew; /* by one that came after it, of which no event has come yet;
                            RESPONSE_UNKNOWN: there is none */
    double pushed_at;    /* when its publisher said so, as in reply_t; 0: not known */
    double push_rate;    /* between its last two answers, in 1/s; 0: not known */
    uint64_t process;    /* that pushed is, or pushed_anew; 0: not known */
} loss_entry_t;

/* What an answer says of a subscription. */
typedef struct {
    const response_subscription_t *subscription;
    bool is_agent;
    const char *endpoint;
    int64_t pushed;    /* by its publisher; RESPONSE_UNKNOWN: not watched, or it didn't answer */
    double pushed_at;  /* when the publisher said so, as in reply_t; 0: not known */
    uint64_t process;  /* of its publisher; 0: not known */
    bool pushed_since; /* the publisher answered much earlier than the subscriber */
    struct timespec time;
} loss_sight_t;

/* How a subscription came to be there. */
typedef enum {
    BEGAN_BEFORE,   /* the answer is the first of its server: all losses are from before */
    BEGAN_SOMETIME, /* it may have existed without being shown */
    BEGAN_SINCE     /* since the answer before */
} loss_beginning_t;

/* Initialises it from the first answer that has it; topic and stream are already set. */
void loss_entry_begin(loss_entry_t *self, const loss_sight_t *sight, loss_beginning_t beginning);

/* Continues with the next answer. */
void loss_entry_go_on(loss_entry_t *self, const loss_sight_t *sight);

/* Frees what it owns. */
void loss_entry_clear(loss_entry_t *self);

#endif
