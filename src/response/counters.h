/*
 * counters: what a server counts of each subscription, of each stream that it publishes, of each
 * event channel, and of itself.
 *
 * A counter is declared here and nowhere else: as a member of its counts, and as a line of their
 * table in counters.c. Answers are parsed, kept, compared, added up and shown by means of the
 * tables; only code that treats a counter in a special way names its member. Counters with a
 * heading are in the order in which they are shown.
 */
#ifndef STEM_COUNTERS_H
#define STEM_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A count that the answer does not give (null or no such key). */
#define RESPONSE_UNKNOWN INT64_C(-1)

/* Of one subscribed event topic. Counts have no members but int64_t. */
typedef struct {
    int64_t event_count;             /* received and not discarded */
    int64_t missed_event_count;      /* how often a gap was detected; not how many events */
    int64_t lost_event_count;        /* how many events are missing in the gaps; agent only */
    int64_t outage_lost_event_count; /* of these, those of a connection that was down; agent only */
    int64_t discarded_event_count;   /* duplicates */
    int64_t error_event_count;       /* of event_count, those that carry an error; agent only */
    int64_t callback_count;
    int64_t publisher_restart_count; /* agent only */
    int64_t known_lost_event_count; /* at least this many: lost_event_count, if the answer has that;
                                       agent only */
    int64_t byte_count;             /* agent only */
    int64_t server_counter;         /* last server counter received */
} subscription_counts_t;

/* Of one published event stream. */
typedef struct {
    int64_t pushed_event_count; /* events pushed. Exact from our agent. The built-in command's is
                                   one higher; see response_pushed_count_is_next() */
    int64_t byte_count;         /* of these events as handed to ZeroMQ; agent only */
} publisher_counts_t;

/* Of one event channel; agent only. */
typedef struct {
    int64_t heartbeat_count;        /* received since the channel was connected */
    int64_t missed_heartbeat_count; /* due, and not there when the next one came */
} channel_counts_t;

/* Of the agent in a server. */
typedef struct {
    int64_t uncounted; /* how often it did not count something because a table was full */
    int64_t unknown_topic_event_count; /* that came under names that nobody subscribed to */
} agent_counts_t;

typedef enum {
    COUNTER_GROWS, /* as long as its stream or process exists: if it fell, that is a new one */
    COUNTER_WRAPS, /* likewise, but it starts again at 0 after 2^32 - 1 */
    COUNTER_LOST,  /* lost_event_count: the monitor may know it better (see losses.h) */
    COUNTER_LEVEL  /* goes up and down */
} counter_kind_t;

/* Keys in the monitor's JSON are shorter. */
enum { COUNTER_JSON_SIZE = 64 };

/* One counter: a line of a table. */
typedef struct {
    const char *key; /* in the answer */
    size_t offset;   /* in its counts */
    counter_kind_t kind;
    bool agent_only; /* never known from other answers, so not shown for them */
    bool is_no_news; /* a change of this counter alone isn't reported */
    bool in_totals;  /* summed up over a run */
    /* Its key in the monitor's JSON; its increase since the previous answer has the same key with
     * "_step" appended. NULL: it isn't shown. */
    const char *json;
    const char *table;   /* its name in reports, if that isn't json: see counter_table_name() */
    const char *heading; /* of its column in tables for people; NULL: none */
    const char *metric;  /* its name as a metric, by Prometheus' conventions; NULL: it isn't one */
    const char *labels;  /* which distinguish metrics of the same name; or NULL */
    const char *help;    /* what the metric is */
} counter_t;

/* A table, with a line for each member of its counts. */
typedef struct {
    const counter_t *list;
    size_t count;
} counters_t;

extern const counters_t counters_of_subscription; /* subscription_counts_t */
extern const counters_t counters_of_publisher;    /* publisher_counts_t */
extern const counters_t counters_of_channel;      /* channel_counts_t */
extern const counters_t counters_of_agent;        /* agent_counts_t */

/* The name of its increase in tables for programs, and in a report's JSON; NULL: it isn't there. */
static inline const char *counter_table_name(const counter_t *self)
{
    return self->kind == COUNTER_LEVEL ? NULL : self->table ? self->table : self->json;
}

/* The number of a counter in its counts. */
static inline int64_t counter_of(const counter_t *self, const void *counts)
{
    return *(const int64_t *)(const void *)((const char *)counts + self->offset);
}

static inline int64_t *counter_in(const counter_t *self, void *counts)
{
    return (int64_t *)(void *)((char *)counts + self->offset);
}

/* Sets all counts to RESPONSE_UNKNOWN. */
void counters_clear(const counters_t *self, void *counts);

/*
 * Copies the counts that are known in before and unknown in now; not those that may have changed.
 */
void counters_keep(const counters_t *self, void *now, const void *before);

/* Whether two are the same, except for counters that are no news. */
bool counters_are_same(const counters_t *self, const void *a, const void *b);

/* Whether a counter fell that only grows. */
bool counters_fell(const counters_t *self, const void *before, const void *now);

#endif
