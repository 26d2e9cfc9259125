/*
 * diagnosis: what came of watching a system for a while: who was watched, what flowed, what was
 * found, and the verdict.
 */
#ifndef STEM_DIAGNOSIS_H
#define STEM_DIAGNOSIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/analysis/findings/fail_on.h"
#include "monitor/analysis/observation.h"
#include "monitor/view/filter.h"
#include "response/response.h"

typedef enum {
    VERDICT_UNKNOWN,    /* no server ever answered */
    VERDICT_INCOMPLETE, /* nothing was found that counts, but some server never answered, or didn't
                           go on answering */
    VERDICT_HEALTHY,    /* nothing was found that counts */
    VERDICT_FOUND
} verdict_t;

/* "unknown", "incomplete", "healthy", "found". */
const char *verdict_name(verdict_t verdict);

/* One server. */
typedef struct {
    char *server;
    size_t polls;
    size_t answers;
    size_t failed_last;         /* how many of its last polls it didn't answer, in a row */
    char *error;                /* why it didn't answer the last time; NULL: it did */
    response_dialect_t dialect; /* of its last answer */
    char *late_since; /* agent_since_text() of that; NULL: all that its agent counts is known */
} diagnosis_server_t;

typedef struct diagnosis diagnosis_t;

/* Nothing watched yet. Both stay the caller's, and must live as long. Never NULL. */
diagnosis_t *diagnosis_new(const filter_t *filter, const fail_on_t *fail_on);

/* Frees it and sets *self to NULL; *self may be NULL. */
void diagnosis_destroy(diagnosis_t **self);

/* Takes the next poll. Findings and totals of the observation must live as long. */
void diagnosis_add(diagnosis_t *self, const observation_t *observation);

/* What came of it. */
typedef struct {
    verdict_t verdict;
    size_t polls;
    double seconds;       /* from the first poll to the last one */
    struct timespec last; /* the time of that */
    const diagnosis_server_t *servers;
    size_t server_count;
    size_t answered; /* of them, those that answered at least once */
    size_t missing;  /* those that never did, or no more, though nobody stopped them on purpose */
    size_t without_agent; /* of those that answered */
    size_t late;          /* likewise: their agent came late */
    size_t streams;       /* published */
    size_t subscriptions;
    int64_t pushed;
    int64_t received;
    int64_t lost; /* RESPONSE_UNKNOWN */
    bool lost_is_minimum;
    bool lost_is_derived;
    const totals_t *totals;
    const finding_t **findings; /* all that the filter takes, the worst first */
    size_t finding_count;
    /* What counts, and was there all the time, but that wasn't long enough for the rule to be sure;
     * sure_after: for how many seconds it would have to watch. */
    const finding_t **suspected;
    size_t suspected_count;
    double sure_after;
    size_t left_out;      /* findings, beyond FINDINGS_MAXIMUM */
    size_t severities[3]; /* how many of each */
    size_t counting;      /* how many count, as fail_on says */
} diagnosis_result_t;

/* Valid until anything is added. */
const diagnosis_result_t *diagnosis_result(diagnosis_t *self);

/* How many of the servers that answered can't tell for this rule, since they have no agent. */
size_t diagnosis_untold(const diagnosis_result_t *self, const rule_t *rule);

/* What to do about a finding: its own advice, or what its rule's explanation says. The caller frees
 * it. */
char *diagnosis_advice(const finding_t *finding);

#endif
