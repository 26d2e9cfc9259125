/*
 * observing: for tests of rules: observes answers that the test makes up, poll after poll.
 */
#ifndef STEM_TEST_OBSERVING_H
#define STEM_TEST_OBSERVING_H

#include "monitor/analysis/observation.h"

typedef struct {
    observation_t *observation;
    rule_settings_t settings;
    time_t time;     /* of the latest poll */
    double period;   /* whole seconds from one poll to the next; 10 unless set */
    double took;     /* seconds that an answer took */
    checks_t checks; /* that each snapshot from now on has */
} observing_t;

/* threshold: "RULE=VALUE", or NULL. */
observing_t *observing_new(const char *threshold);
void observing_destroy(observing_t **self);

/* The next poll: servers and their answers in turn, up to a NULL. In answers ' stands for "; one
 * without '{' is an error, and one that begins with '?' is missing in the recording. */
void observing_poll(observing_t *self, const char *const *servers_and_answers);

/* The finding of a rule that is there now, with whatever state; NULL: none. The test fails if there
 * are several. */
const finding_t *observing_find(const observing_t *self, const char *rule);

/* Fails unless the rule's finding is there, with that line. Returns it. */
const finding_t *observing_assert(const observing_t *self, const char *rule, const char *text);

/* Fails unless the rule finds nothing. */
void observing_assert_none(const observing_t *self, const char *rule);

/* Whether some line of its evidence has that text in it. */
bool observing_has_evidence(const finding_t *finding, const char *text);

#endif
