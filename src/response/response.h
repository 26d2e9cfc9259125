/*
 * response: the model of an answer of QueryEventSystem (or QueryEventAgent).
 *
 * An answer is parsed once, here, into plain structs; everything that reads answers (the monitor's
 * summaries, its findings, reports) reads these. Three dialects are understood:
 *
 *   version 1   the command built into cppTango 10.1 and later, and our agent, which adds keys
 *   legacy      the older patched servers: no "version", "perf_stats", "att_name", -1 for null
 *
 * Numbers that an answer does not give are RESPONSE_UNKNOWN (a count) or NAN (a duration), never 0.
 * Unknown keys are ignored: the schema allows them. Strings are UTF-8 without NULs, but may contain
 * anything else: they come from the network (see printable.h).
 */
#ifndef STEM_RESPONSE_H
#define STEM_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "response/counters.h"

typedef enum {
    RESPONSE_LEGACY,    /* a patched server: no "version" key */
    RESPONSE_VERSION_1, /* the built-in command of cppTango 10.1 and later */
    RESPONSE_AGENT      /* version 1 with our agent's further keys (top key "agent") */
} response_dialect_t;

/* What answers in that dialect: "patched server", "built-in command", "agent". */
const char *response_dialect_name(response_dialect_t dialect);

/* What an answer says about something that it need not mention. */
typedef enum { RESPONSE_NOT_TOLD, RESPONSE_NO, RESPONSE_YES } response_told_t;

/* One bucket of a histogram: durations from from_nanos to below_nanos; NAN: unbounded. */
typedef struct {
    double from_nanos;
    double below_nanos;
    int64_t count;
} response_bucket_t;

/* How long something took, of all events while performance monitoring was on; agent only. */
typedef struct {
    response_bucket_t *buckets; /* those that aren't empty, from short to long */
    size_t bucket_count;
    int64_t count;
    double sum_nanos;
    double max_nanos;
} response_histogram_t;

/* One published event stream of a server. */
typedef struct {
    char *name; /* e.g. "tango://host:10000/foo/bar/pub/attr.change" */
    publisher_counts_t counts;
    char *last_event;                 /* ISO 8601 time of the last one, or NULL; agent only */
    char *last_subscription;          /* when somebody last subscribed or confirmed it: ISO time or
                                         NULL; agent only */
    response_told_t has_subscribers;  /* whether somebody still listens; agent only */
    response_histogram_t *push_event; /* or NULL */
} response_publisher_t;

/* One subscribed event topic of a server. */
typedef struct {
    char *topic;        /* e.g. "tango://host:10000/foo/bar/pub/attr.idl5_change" */
    char *channel_name; /* the event channel it arrives on, or NULL */
    subscription_counts_t counts;
    bool lost_is_minimum;             /* the answer has lost_event_count null, and some are known to
                                         be lost: lost_event_count is their number */
    char *last_resubscribed;          /* ISO time or NULL */
    char *last_event;                 /* ISO time or NULL; agent only */
    char *last_error_event;           /* likewise */
    response_histogram_t *latency;    /* from the event's own time to its callbacks; or NULL */
    response_histogram_t *processing; /* of all its callbacks; or NULL */
} response_subscription_t;

typedef struct {
    char *name;     /* the publisher's admin device */
    char *endpoint; /* of its heartbeats, e.g. "tcp://127.0.0.1:42713"; NULL where not given */
    char *event_endpoint; /* of its events, or NULL; agent only */
    char *last_heartbeat; /* ISO time or NULL; agent only */
    channel_counts_t counts;
} response_channel_t;

/* A subscription that Tango could not make yet and keeps retrying. "" if not given. */
typedef struct {
    char *device;
    char *attribute;
    char *event_type;
    char *last_heartbeat; /* or NULL */
    char *tango_host;     /* or NULL */
} response_not_connected_t;

/* Samples: durations in microseconds; NAN where the answer has null (legacy: -1). */
typedef struct {
    double micros_since_last_event;
    double push_event_micros;
} response_push_sample_t;

typedef struct {
    char *attr_name;  /* up to 31 characters; "" for a discarded event; NULL where not given */
    char *event_type; /* "ATT_VALUE", "ATT_CONF", ...; NULL where not given; legacy only */
    double micros_since_last_event;
    double sleep_micros;
    double process_micros;
    double first_callback_latency_micros;
    int64_t callback_count; /* or RESPONSE_UNKNOWN */
    int64_t wake_count;     /* or RESPONSE_UNKNOWN */
    bool discarded;
} response_receive_sample_t;

/* What a server's consumer thread, which receives all its events, is doing. */
typedef struct {
    char *state;         /* "polling", "callbacks", "order" (a control command); NULL: not known */
    char *topic;         /* whose callbacks run, or NULL */
    char *since;         /* ISO time or NULL */
    double state_micros; /* for how long, or NAN */
    double longest_callback_micros; /* of all events so far, the present one included; or NAN */
    char *longest_callback_topic;   /* whose that was, or NULL */
    double delayed_micros; /* for how long it has executed control commands only, while events wait;
                              or NAN */
} response_consumer_t;

/* How many entries of its lists an answer omits because it would be too large. */
typedef struct {
    int64_t event_counters;
    int64_t event_streams;
    int64_t event_callbacks;
    int64_t not_connected;
    int64_t event_channels;
} response_truncated_t;

typedef struct response {
    response_dialect_t dialect;

    bool has_server;                  /* false: this process has no event supplier */
    response_publisher_t *publishers; /* sorted by name */
    size_t publisher_count;
    bool push_perf_on; /* the answer has a list of samples, perhaps an empty one */
    response_push_sample_t *push_samples;
    size_t push_sample_count;

    bool has_client;                        /* false: this process has never subscribed */
    response_subscription_t *subscriptions; /* sorted by topic */
    size_t subscription_count;
    response_channel_t *channels; /* sorted by name */
    size_t channel_count;
    bool not_connected_known;                /* the answer has that list, perhaps an empty one */
    response_not_connected_t *not_connected; /* sorted by device, attribute, event type */
    size_t not_connected_count;
    response_consumer_t consumer; /* agent only */
    bool receive_perf_on;
    response_receive_sample_t *receive_samples;
    size_t receive_sample_count;

    char *agent_version; /* our agent's version, tango's and pid; NULL, NULL and -1 without it */
    char *tango_version;
    int64_t agent_pid;
    agent_counts_t agent_counts;
    response_truncated_t truncated; /* each 0 if the answer doesn't say */
    char *agent_unwatched; /* what the agent can't watch, in words; NULL: nothing, or not known */
    char *agent_attached;  /* ISO time of the agent's start in this process; NULL without it */
    char *agent_loaded;    /* "at start" or "late", see response_is_late(); NULL: not given */
    char *process_started; /* ISO time at which this process began; NULL: not given */
    char *agent_time;      /* ISO time of the answer, by its host's clock; likewise */

    struct arena *strings; /* all of the above but the lists; private */
} response_t;

/*
 * Parses the text of an answer. Returns a new response, owned by the caller, or NULL, and then
 * *error (if error isn't NULL) is one printable line that says what is wrong and where; the caller
 * frees it. *error is NULL when a response is returned.
 *
 * Errors are: text that is not JSON (by the rules of json_text_is_valid(), and without NULs), or
 * not an object, a "version" other than 1, a key whose value has the wrong type, a count that is
 * negative or not a whole number, and an object with none of "version", "server" and "client". An
 * absent key is the same as null. Of duplicate keys the last one counts, and each has to be valid.
 * The text need not end with a NUL; it may contain anything.
 */
response_t *response_parse(const char *text, size_t size, char **error);

/* The same of a text that is part of one that json_text_is_valid(): it isn't checked again. */
response_t *response_parse_valid(const char *text, size_t size, char **error);

/* Frees the lists of samples, which are most of an answer; the counts are 0 then. */
void response_drop_samples(response_t *self);

/* Frees a response and sets *self to NULL; *self may be NULL. */
void response_destroy(response_t **self);

/*
 * Whether the agent was loaded into a process that had been running already: what was there and
 * what was counted before is known only as far as it has shown since.
 */
bool response_is_late(const response_t *self);

/*
 * Whether a subscription is older than its late agent, or may be: that it was made and what it
 * received before isn't known.
 */
bool response_is_older_subscription(const response_t *self,
                                    const response_subscription_t *subscription);

/* The ISO time at which the process began, as far as it is known; or NULL. */
const char *response_process_began(const response_t *self);

/*
 * Whether a publisher's event_count is the counter of the next event, one more than was pushed, as
 * from the built-in command and the patched servers.
 */
bool response_pushed_count_is_next(const response_t *self);

/* How many events a publisher of that answer has pushed so far, or RESPONSE_UNKNOWN. */
int64_t response_pushed_count(const response_t *self, const response_publisher_t *publisher);

/*
 * How long ago the last heartbeat of a channel had come when the answer was given, in seconds, by
 * the clock of that host; NAN: not known, or there was none.
 */
double response_seconds_without_heartbeat(const response_t *self,
                                          const response_channel_t *channel);

/* Whether the consumer thread had been kept from receiving for more than so many seconds: by a
 * callback, or by control commands. */
bool response_is_held_up(const response_t *self, double seconds);

/* The channel of that name, which may be NULL; NULL if there is none. */
const response_channel_t *response_channel(const response_t *self, const char *name);

/* The order of two response_not_connected_t, for qsort(); the list of an answer is in it. */
int response_compare_not_connected(const void *a, const void *b);

#endif
