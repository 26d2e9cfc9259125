#include "observing.h"

#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "base/memory.h"
#include "cmocka_all.h"

observing_t *observing_new(const char *threshold)
{
    observing_t *self = memory_new(1, sizeof *self);
    char *error = NULL;
    if (threshold && !rule_settings_set(&self->settings, threshold, &error))
        fail_msg("%s", error);
    self->observation = observation_new(&self->settings);
    self->time = 1790000000;
    self->period = 10;
    self->took = 0.01;
    return self;
}

void observing_destroy(observing_t **self)
{
    observation_destroy(&(*self)->observation);
    rule_settings_clear(&(*self)->settings);
    checks_clear(&(*self)->checks);
    free(*self);
    *self = NULL;
}

void observing_poll(observing_t *self, const char *const *servers_and_answers)
{
    size_t count = 0;
    while (servers_and_answers[2 * count])
        count++;
    snapshot_t *snapshot = snapshot_new(count);
    self->time += (time_t)self->period;
    snapshot->time.tv_sec = self->time;
    snapshot->asked = (double)(self->time - 1780000000);
    for (size_t i = 0; i < count; i++) {
        reply_t *reply = &snapshot->replies[i];
        const char *answer = servers_and_answers[2 * i + 1];
        reply->server = memory_string(servers_and_answers[2 * i]);
        reply->answered = snapshot->asked + self->took;
        if (strchr(answer, '{'))
            reply->response = answers_parse(answer);
        else
            reply->error = memory_string(answer);
        reply->is_missing = *answer == '?';
    }
    for (size_t i = 0; i < self->checks.count; i++)
        checks_add(&snapshot->checks, &self->checks.list[i]);
    checks_sort(&snapshot->checks);
    observation_renew(self->observation, &snapshot, true);
}

const finding_t *observing_find(const observing_t *self, const char *rule)
{
    size_t count = 0;
    const finding_t *found = NULL;
    const finding_t *const *now = findings_now(self->observation->findings, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(now[i]->rule->name, rule) != 0)
            continue;
        if (found)
            fail_msg("two findings of %s: %s; %s", rule, found->text, now[i]->text);
        found = now[i];
    }
    return found;
}

const finding_t *observing_assert(const observing_t *self, const char *rule, const char *text)
{
    const finding_t *found = observing_find(self, rule);
    assert_non_null(found);
    assert_string_equal(found->text, text);
    return found;
}

void observing_assert_none(const observing_t *self, const char *rule)
{
    const finding_t *found = observing_find(self, rule);
    if (found)
        fail_msg("%s: %s", rule, found->text);
}

bool observing_has_evidence(const finding_t *finding, const char *text)
{
    for (size_t i = 0; i < finding->evidence_count; i++)
        if (strstr(finding->evidence[i], text))
            return true;
    return false;
}
