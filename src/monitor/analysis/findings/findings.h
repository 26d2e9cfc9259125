/*
 * findings: what is wrong in the watched system, and why.
 *
 * The rules (rules.h) look at each observation, and report what they see. A finding begins when its
 * rule is first sure, lasts as long as the rule reports it again, and ends some time after that;
 * when it comes back, it is the same finding once more. It is identified by its rule and by what it
 * is about.
 */
#ifndef STEM_FINDINGS_H
#define STEM_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "monitor/analysis/comparison.h"
#include "monitor/analysis/losses.h"
#include "monitor/model/snapshot.h"

typedef enum {
    SEVERITY_REMARK,  /* worth knowing; nothing is wrong */
    SEVERITY_WARNING, /* something is about to go wrong, or works by halves */
    SEVERITY_FAULT    /* events don't arrive, or didn't */
} severity_t;

/* "remark", "warning", "fault". */
const char *severity_name(severity_t severity);

typedef enum {
    FINDING_SUSPECTED, /* reported, but not long enough: shown by nobody */
    FINDING_BEGAN,     /* in this observation */
    FINDING_LASTS,
    FINDING_ENDED, /* in this observation */
    FINDING_PAST   /* before this observation */
} finding_state_t;

/* "began", "lasts", "ended"; "past". */
const char *finding_state_name(finding_state_t state);

struct rule;

/* What a finding is about, and identified by (a stream's publisher is not: its name may change);
 * each may be NULL. Names as in answers, a stream without IDL level; publisher and subscriber are
 * admin devices. */
typedef struct {
    const char *server; /* by whose answer the finding is judged: while that server fails, the
                           finding neither ends nor changes */
    const char *stream;
    const char *publisher;
    const char *subscriber;
    const char *object; /* anything else: a channel, an endpoint, a host */
} finding_about_t;

typedef struct finding {
    const struct rule *rule;
    finding_about_t about; /* owned copies */
    char *identity;        /* one word that is the same in each run: RULE-0123456789abcdef */
    severity_t severity;   /* the rule's, unless the rule said otherwise */
    finding_state_t state;

    bool publisher_is_unwatched; /* as its evidence says */

    int64_t events;         /* so many, since `since`; RESPONSE_UNKNOWN: no matter of a number */
    bool events_is_minimum; /* it may be more */
    int64_t among;          /* events is out of so many; RESPONSE_UNKNOWN: not known */
    struct timespec since;  /* when it began, as far as is known */
    struct timespec seen;   /* when it was last reported */

    char *text; /* one line that a non-expert understands; printable only after printable_copy()
                 */
    char **evidence; /* one line each */
    size_t evidence_count;
    char *advice; /* what to do; NULL: the rule's explanation says it all */

    size_t times;                   /* how often it began */
    int64_t events_in_all;          /* in all these times; RESPONSE_UNKNOWN as events */
    double seconds_in_all;          /* that it lasted in all these times, up to `seen` */
    struct timespec first;          /* since when the first time */
    unsigned polls;                 /* reported at so many observations in a row */
    struct timespec reported_since; /* the first of these */
    unsigned polls_needed;          /* see finding_needs_polls() */

    /* The rule's own, until the finding has ended. */
    int64_t mark;    /* RESPONSE_UNKNOWN at first */
    double peaks[2]; /* 0 at first */
} finding_t;

typedef struct findings findings_t;

/* None yet. settings (see rules.h) may be NULL: the rules' own thresholds; else it must live as
 * long. Never NULL. */
struct rule_settings;
findings_t *findings_new(const struct rule_settings *settings);

/* Frees it and sets *self to NULL; *self may be NULL. */
void findings_destroy(findings_t **self);

/* So many findings are kept, whatever names hostile servers invent, and those that are past make
 * room for new ones; more are counted only. */
#define FINDINGS_MAXIMUM 10000

/* Those that began, last or ended in this observation: faults first, then the newest. Valid until
 * the next observation. */
const finding_t *const *findings_now(const findings_t *self, size_t *count);

/* All of the run, in the same order, those that last before those that are past. */
const finding_t *const *findings_of_run(const findings_t *self, size_t *count);

/* Those that are reported now, but not for long enough to be sure; in no order. Likewise. */
const finding_t *const *findings_suspected(const findings_t *self, size_t *count);

/* A rule's threshold in force. */
double findings_threshold(const findings_t *self, const struct rule *rule);

/* How many were reported beyond FINDINGS_MAXIMUM, or forgotten to make room. */
size_t findings_left_out(const findings_t *self);

/* How long it has lasted this time, up to when it was last seen, in seconds. */
double finding_seconds(const finding_t *self);

/* ---- for rules ---- */

/*
 * Reports what a rule sees in the present observation. Returns the finding, which is findings' own,
 * with its texts emptied, and everything else as it was left the last time: a new one has events
 * unknown, and the present snapshot's time as since. Never NULL; what is beyond the maximum is
 * thrown away.
 */
finding_t *findings_report(findings_t *self, const struct rule *rule, const finding_about_t *about);

/* Sets its line. */
void finding_say(finding_t *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds a line of evidence: a fact, with its number and unit. */
void finding_evidence(finding_t *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What to do, where this case says it better than the rule's explanation in general. */
void finding_advise(finding_t *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds to its events. */
void finding_add_events(finding_t *self, int64_t events);

/* It isn't sure before it was reported in so many observations in a row, if that is more than the
 * rule says. */
void finding_needs_polls(finding_t *self, unsigned polls);

/* The one that a rule has reported in former observations and that has begun and not ended; or
 * NULL. It isn't reported thereby. */
finding_t *findings_find(const findings_t *self, const struct rule *rule,
                         const finding_about_t *about);

/* Its events turned out to be another finding's, or to be none: this time it has 0 of them. */
void finding_hand_over(finding_t *self);

/* It began earlier than it was first reported. */
void finding_began(finding_t *self, const struct timespec *since);

/* ---- for the observation ---- */

/* Lets all rules look at an observation; see observation_t for what is given. */
void findings_update(findings_t *self, const snapshot_t *snapshot, const snapshot_t *previous,
                     const comparison_t *comparison, const losses_t *losses);

/*
 * The same in parts, for whoever reports by other means than the table of rules: between the two,
 * findings are reported. Returns the seconds since the previous snapshot; NAN: there is none.
 */
double findings_begin(findings_t *self, const snapshot_t *snapshot);
void findings_settle(findings_t *self, const snapshot_t *snapshot);

#endif
