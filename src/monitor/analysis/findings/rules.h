/*
 * rules: the table of what can be found. rules.c has a line for each rule; what it looks for is in
 * the file of its family, rules_*.c. What it means, and what to do, is in docs/findings.md, under a
 * heading with its name.
 *
 * A rule has a function for each kind of thing that it looks at. It is called for each of them in
 * every observation, and reports what it finds with findings_report(). It keeps no state: what must
 * have lasted for some time, or have been seen more than once, is said in the table.
 */
#ifndef STEM_RULES_H
#define STEM_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "monitor/analysis/comparison.h"
#include "monitor/analysis/findings/findings.h"
#include "monitor/analysis/losses.h"
#include "monitor/analysis/published.h"
#include "monitor/analysis/subscribers.h"
#include "monitor/model/snapshot.h"

typedef struct rule rule_t;

/* All that is known, as in observation_t. */
typedef struct {
    const snapshot_t *snapshot;
    const snapshot_t *previous; /* NULL: of the first observation */
    const comparison_t *comparison;
    const losses_t *losses;
    const published_t *published; /* who publishes what */
    subscribers_t *subscribers;   /* who subscribes to it */
    const struct rule_settings *settings;
    findings_t *findings;
    double seconds; /* since the previous snapshot; NAN: there is none */
} rules_input_t;

/* One subscription in an answer, whether or not it has changed. */
typedef struct {
    const server_part_t *part;
    const response_subscription_t *now;
    const response_subscription_t *before; /* NULL: new, not known, or of another process */
    const subscription_row_t *row;         /* NULL: nothing of it has changed */
    const loss_t *loss;                    /* NULL: not known */
    const published_stream_t *publisher;   /* NULL: no watched server publishes it */
    const published_stream_t *respelled;   /* if so: its publisher has another name for it, see
                                              published_find_respelled(); or NULL */
    const response_channel_t *channel;     /* that it arrives on; NULL: not known */
    const char *stream;                    /* its name without IDL level */
} rule_subscription_t;

/* One published stream in an answer, whether or not it has changed. */
typedef struct {
    const server_part_t *part;
    const response_publisher_t *now;
    const response_publisher_t *before; /* NULL: new, not known, or of another process */
    const published_row_t *row;         /* NULL: nothing of it has changed */
} rule_published_t;

struct rule {
    const char *name;  /* e.g. "overflow" */
    const char *group; /* what --fail-on may name instead: "loss", "stuck", ... */
    severity_t severity;
    const char *title; /* what it finds, in a few words */

    double threshold; /* what it means is said by: */
    const char *unit; /* e.g. "s"; NULL: it has no threshold */
    bool holds;       /* the threshold is how many seconds it must have been reported for */
    unsigned polls;   /* it must have been reported in so many observations in a row; 0: 1 */
    bool counts;      /* the threshold is how many events it must have, with no more than
                         `keep` seconds between two reports */
    double lasts;     /* it must have been reported for so many seconds, whatever the threshold */
    double keep;      /* it ends when it wasn't reported for so many seconds; 0: at once */
    bool agent_only;  /* nothing but our agent's answers can show it */

    /* Each may be NULL. Servers that failed are only seen by failed() and everything(). */
    void (*failed)(const rule_t *self, const rules_input_t *input, const server_part_t *part);
    void (*server)(const rule_t *self, const rules_input_t *input, const server_part_t *part);
    void (*subscription)(const rule_t *self, const rules_input_t *input,
                         const rule_subscription_t *subscription);
    void (*published)(const rule_t *self, const rules_input_t *input,
                      const rule_published_t *published);
    void (*channel)(const rule_t *self, const rules_input_t *input, const server_part_t *part,
                    const response_channel_t *now, const response_channel_t *before);
    void (*not_connected)(const rule_t *self, const rules_input_t *input, const server_part_t *part,
                          const response_not_connected_t *now,
                          const response_not_connected_t *before);
    void (*everything)(const rule_t *self, const rules_input_t *input);
};

extern const rule_t rules[];
extern const size_t rules_count;

/* The rule of that name, or NULL. */
const rule_t *rules_find(const char *name);

/*
 * Rules and groups with nearly that name, and of further words (NULL, or a list that ends with
 * NULL), for a message: "a, b or c". NULL: there are none. The caller frees it.
 */
char *rules_nearest(const char *misspelt, const char *const *further);

/* What was set for the rules; free with rule_settings_clear(). All 0: none. */
typedef struct rule_settings {
    double *thresholds; /* by rule; NULL: none was set */
    bool switches_perf; /* this monitor switches servers' performance monitoring on itself */
} rule_settings_t;

/*
 * Takes "RULE=VALUE". False if there is no such rule, or it has no threshold, or the value is no
 * number of at least 0: *error, which the caller frees, says so.
 */
bool rule_settings_set(rule_settings_t *self, const char *assignment, char **error);
void rule_settings_clear(rule_settings_t *self);

/* The threshold in force. settings may be NULL. */
double rule_threshold(const rule_t *self, const rule_settings_t *settings);

/* Since when the agent of an answer counts: "the server started", "the agent was attached". */
const char *rules_counted_since(const response_t *response);

/* For rules: who publishes a stream: the watched server, or the channel that it arrives on; may be
 * NULL. */
const char *rules_publisher(const rules_input_t *input, const char *stream,
                            const char *channel_name);

/* Lets all rules look. */
void rules_apply(const rules_input_t *input);

#endif
