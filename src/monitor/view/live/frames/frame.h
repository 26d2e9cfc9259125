/*
 * frame: what the live view shows of one poll: a copy of an observation that nobody changes any
 * more. Any thread may read it, for as long as it holds a reference.
 *
 * Streams are matched: a frame has a row for each stream, whoever publishes it, and below it the
 * subscriptions of all watched servers. Everything that lasts is there, whether or not it changed
 * in this poll.
 */
#ifndef STEM_FRAME_H
#define STEM_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "monitor/analysis/durations.h"
#include "monitor/analysis/observation.h"

/* So many findings are in a frame: those that last, and the newest of the others. */
enum { FRAME_MAXIMUM_FINDINGS = 1000 };

/* No such index. */
#define FRAME_NONE SIZE_MAX

/* One bucket of a histogram, over all events while monitoring was on; see response_bucket_t. */
typedef response_bucket_t frame_bucket_t;

/* How long something took. */
typedef struct {
    duration_t interval;           /* since the server's previous answer; count 0: not known */
    const frame_bucket_t *buckets; /* since monitoring was switched on; none: not known */
    size_t bucket_count;
} frame_duration_t;

typedef struct {
    uint64_t id;        /* of the server's name: the same in all frames of a run */
    const char *name;   /* "dserver/Pub/1", as in a reply */
    const char *error;  /* why it failed this time, one line; NULL: it answered. Then the rest is of
                           its last answer, if there was one */
    bool has_answer;    /* some answer is known: else all of the following is empty */
    const char *source; /* response_dialect_name() */
    const char *agent_version; /* each may be NULL */
    const char *tango_version;
    const char *late_since; /* agent_since_text(); or NULL */
    int64_t pid;            /* or RESPONSE_UNKNOWN */
    bool perf_on;
    bool restarted;      /* since its previous answer */
    double push_rate;    /* of all of its streams, in 1/s; NAN: not known */
    double receive_rate; /* of all of its subscriptions; likewise */
    int64_t new_losses;  /* of all of its subscriptions, since its previous answer */
    int64_t lost;        /* so far, by the totals of this run; RESPONSE_UNKNOWN */
    size_t published;    /* streams */
    size_t subscribed;   /* topics */
    size_t first_channel, channel_count;             /* in frame_t */
    size_t first_not_connected, not_connected_count; /* in frame_t */
    size_t findings;                                 /* that last, and are about it */
    /* What its consumer thread does; see response_consumer_t. */
    const char *consumer_state; /* NULL: not known */
    const char *consumer_topic; /* or NULL */
    double consumer_seconds;    /* for how long, or NAN */
    double longest_callback_seconds;
    const char *longest_callback_topic;
    double delayed_seconds;
} frame_server_t;

typedef struct {
    uint64_t id;            /* of the stream's name: the same in all frames of a run */
    const char *name;       /* without IDL level */
    const char *short_name; /* the same without "tango://host:port/", inside name */
    size_t publisher;       /* its server's index; FRAME_NONE: not watched, or several push it */
    const char *publisher_name; /* the server, or the channel it comes by; NULL: not known */
    bool is_published;          /* a watched server pushes it: the following are known */
    publisher_counts_t pushed;
    publisher_counts_t pushed_steps;
    double push_rate; /* 1/s; NAN: not known */
    response_told_t has_subscribers;
    const char
        *last_event; /* ISO time or NULL; of the publisher, else the newest of a subscriber */
    frame_duration_t push_event;
    size_t first_subscription, subscription_count; /* in frame_t */
    /* Over all of its subscriptions: */
    int64_t received;       /* counts added up; RESPONSE_UNKNOWN: none knows */
    double receive_rate;    /* added up; NAN: not known */
    int64_t lost;           /* so far, added up; RESPONSE_UNKNOWN */
    int64_t new_losses;     /* since the previous answers */
    int64_t not_received;   /* pushed earlier, and still missing; RESPONSE_UNKNOWN */
    double latency_seconds; /* worst 99th percentile since the previous answers; NAN: not known */
    double processing_seconds; /* likewise */
    size_t findings;           /* that last, and are about it */
    bool is_gone;              /* no answer has it any more; it was there in the previous frame */
} frame_stream_t;

/* One server's subscription to a stream. */
typedef struct {
    size_t server; /* its index in the frame */
    size_t stream; /* likewise */
    const char *topic;
    const char *channel; /* or NULL */
    subscription_counts_t counts;
    subscription_counts_t steps;
    double rate;  /* 1/s; NAN: not known */
    int64_t lost; /* so far; RESPONSE_UNKNOWN. See loss_t */
    bool lost_is_minimum;
    int64_t new_losses;   /* since the previous answer */
    int64_t not_received; /* RESPONSE_UNKNOWN */
    bool restarted;
    const char *last_event; /* ISO times or NULL */
    const char *last_resubscribed;
    frame_duration_t latency;
    frame_duration_t processing;
} frame_subscription_t;

typedef struct {
    size_t server;
    const char *name;
    const char *endpoint;       /* or NULL */
    const char *event_endpoint; /* or NULL */
    channel_counts_t counts;
    double silent_seconds; /* since the last heartbeat, at the answer; NAN: not known */
    size_t subscriptions;  /* of its server, that arrive on it */
} frame_channel_t;

typedef struct {
    size_t server;
    const char *device;
    const char *attribute;
    const char *event_type;
    const char *last_heartbeat; /* or NULL */
} frame_not_connected_t;

typedef struct {
    const char *identity; /* see finding_t, also for the others */
    const char *rule;
    severity_t severity;
    finding_state_t state; /* not suspected */
    const char *text;      /* one line */
    const char *const *evidence;
    size_t evidence_count;
    const char *advice; /* or NULL */
    struct timespec since;
    struct timespec seen;
    double seconds; /* that it has lasted this time */
    size_t times;   /* how often it began */
    size_t server;  /* indices in the frame of what it is about, or FRAME_NONE */
    size_t stream;
} frame_finding_t;

typedef struct frame {
    struct timespec time; /* when the servers were asked */
    double took_seconds;  /* from then until all had answered, or were given up; NAN: not known */
    size_t number;        /* of polls so far; the first is 0 */
    uint64_t serial; /* no other frame of the process has it, not even one that took its place */
    bool is_recorded;

    size_t failed;            /* servers */
    double push_rate;         /* 1/s, over all; NAN: not known */
    double receive_rate;      /* likewise */
    int64_t pushed, received; /* so far, by the totals of this run; RESPONSE_UNKNOWN */
    int64_t lost;
    int64_t new_losses; /* since the previous poll */
    size_t findings_left_out;

    const frame_server_t *servers; /* as in the snapshot */
    size_t server_count;
    const frame_stream_t *streams; /* by id */
    size_t stream_count;
    const frame_subscription_t *subscriptions; /* a stream's are together */
    size_t subscription_count;
    const frame_channel_t *channels; /* a server's are together */
    size_t channel_count;
    const frame_not_connected_t *not_connected; /* likewise */
    size_t not_connected_count;
    const frame_finding_t *findings; /* those that last first, newest first among these */
    size_t finding_count;

    size_t bytes; /* of memory that it takes; what it shares with others not included */
} frame_t;

/*
 * Makes frames of the observations of one run, one after the other. Used by one thread; the frames
 * may outlive it.
 */
typedef struct frame_maker frame_maker_t;

/* Never NULL. */
frame_maker_t *frame_maker_new(void);
void frame_maker_destroy(frame_maker_t **self);

/* A frame with one reference, the caller's. Never NULL. */
const frame_t *frame_make(frame_maker_t *self, const observation_t *observation);

/* Instead of frame_make(): nobody wants to see this one, but it counts as a poll. */
void frame_skip(frame_maker_t *self);

/* One more reference; returns self. Any thread. */
const frame_t *frame_share(const frame_t *self);

/* Gives a reference back, frees the frame with the last one, and sets *self to NULL; *self may be
 * NULL. Any thread. */
void frame_release(const frame_t **self);

/* The index of a stream or a server by its id; FRAME_NONE: the frame has none. */
size_t frame_find_stream(const frame_t *self, uint64_t id);
size_t frame_find_server(const frame_t *self, uint64_t id);

/* The index of a finding by its identity, likewise. */
size_t frame_find_finding(const frame_t *self, const char *identity);

#endif
