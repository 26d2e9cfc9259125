#include "monitor/analysis/loss_entry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/name_set.h"
#include "monitor/analysis/changes.h"
#include "monitor/analysis/loss_between.h"
#include "monitor/model/continuity.h"

void loss_entry_clear(loss_entry_t *self)
{
    free(self->topic);
    free(self->stream);
    free(self->endpoint);
}

/* 0: it never did, or the answer doesn't say. */
static uint64_t resubscribed_of(const response_subscription_t *subscription)
{
    return subscription->last_resubscribed ? name_set_hash(0, subscription->last_resubscribed) : 0;
}

/* What an answer doesn't say stays as it was last known. */
static void remember(loss_entry_t *self, const loss_sight_t *sight)
{
    const response_subscription_t *now = sight->subscription;
    const subscription_counts_t before = self->last;
    self->last = now->counts;
    counters_keep(&counters_of_subscription, &self->last, &before);
    self->counted_exactly = loss_counted_exactly(now);
    if (now->counts.event_count > 0 && now->counts.server_counter != RESPONSE_UNKNOWN) {
        self->counter = now->counts.server_counter;
        self->before_first = false;
    }
    if (sight->endpoint && (!self->endpoint || strcmp(self->endpoint, sight->endpoint) != 0)) {
        free(self->endpoint);
        self->endpoint = memory_string(sight->endpoint);
    }
    const uint64_t resubscribed = resubscribed_of(now);
    if (resubscribed != 0)
        self->resubscribed = resubscribed;
}

/* Before a first event, numbers are counted from what the publisher has pushed by now: it had when
 * the subscription was there. */
static void wait_for_first(loss_entry_t *self, const loss_sight_t *sight)
{
    if (sight->subscription->counts.event_count != 0 || self->counter != RESPONSE_UNKNOWN ||
        sight->pushed == RESPONSE_UNKNOWN || sight->pushed_since)
        return;
    self->counter = (uint32_t)sight->pushed;
    self->before_first = true;
    self->loss.since = sight->time;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void set_level(loss_entry_t *self, const loss_sight_t *sight)
{
    const response_subscription_t *now = sight->subscription;
    loss_t *loss = &self->loss;
    const bool whole = self->whole && self->exact;
    loss->derived = changes_sum(self->derived_before, self->derived);
    loss->derived_in_outage = changes_sum(self->derived_in_outage_before, self->derived_in_outage);
    if (sight->is_agent) {
        const bool told = now->counts.lost_event_count != RESPONSE_UNKNOWN;
        loss->source = self->derived > 0 || (!told && whole) ? LOSS_DERIVED
                       : told                                ? LOSS_COUNTED
                                                             : LOSS_UNKNOWN;
        const int64_t counted =
            now->counts.known_lost_event_count > 0 ? now->counts.known_lost_event_count : 0;
        loss->lost =
            loss->source == LOSS_UNKNOWN ? RESPONSE_UNKNOWN : changes_sum(counted, self->derived);
        loss->is_minimum = loss->source != LOSS_UNKNOWN && !loss_counted_exactly(now) && !whole;
        loss->is_minimum |= loss->source == LOSS_DERIVED && !self->exact;
    } else {
        loss->source = loss_has_no_numbers(now) ? LOSS_UNKNOWN : LOSS_DERIVED;
        loss->lost = loss->source == LOSS_UNKNOWN ? RESPONSE_UNKNOWN : self->derived;
        loss->is_minimum = loss->source != LOSS_UNKNOWN && !self->exact;
    }
    /* "At least none" says nothing. */
    if (loss->lost == 0 && loss->is_minimum) {
        loss->source = LOSS_UNKNOWN;
        loss->lost = RESPONSE_UNKNOWN;
        loss->is_minimum = false;
    }
}

void loss_entry_begin(loss_entry_t *self, const loss_sight_t *sight, loss_beginning_t beginning)
{
    const loss_step_t found = beginning == BEGAN_SINCE
                                  ? loss_since_it_began(sight)
                                  : (loss_step_t){.by = 0, .exact = beginning == BEGAN_BEFORE};
    self->last = sight->subscription->counts;
    const bool is_watched =
        sight->pushed != RESPONSE_UNKNOWN && !loss_has_no_numbers(sight->subscription);
    self->counter = RESPONSE_UNKNOWN;
    self->before_first = false;
    self->derived_before = changes_sum(self->derived_before, self->derived);
    self->derived_in_outage_before =
        changes_sum(self->derived_in_outage_before, self->derived_in_outage);
    self->derived = sight->is_agent ? 0 : found.by;
    self->derived_in_outage = 0;
    self->exact = beginning != BEGAN_SINCE || found.exact;
    self->whole = sight->subscription->counts.event_count == 0 &&
                  sight->pushed != RESPONSE_UNKNOWN && !sight->pushed_since;
    self->pushed = sight->pushed;
    self->pushed_anew = RESPONSE_UNKNOWN;
    self->process = sight->process;
    self->resubscribed = 0;
    self->pushed_at = sight->pushed_at;
    self->push_rate = 0;
    const int64_t in_outage = sight->subscription->counts.outage_lost_event_count;
    self->loss = (loss_t){.step = found.by,
                          .step_is_minimum = !found.exact,
                          .outage_step = in_outage > 0 ? smaller(in_outage, found.by) : 0,
                          .since = sight->time,
                          .pushed = sight->pushed,
                          .not_received = is_watched ? 0 : RESPONSE_UNKNOWN,
                          .is_news = found.by > 0};
    remember(self, sight);
    wait_for_first(self, sight);
    set_level(self, sight);
}

/* How many events had been pushed by the previous answer, and have not arrived yet. */
static int64_t still_to_come(const loss_entry_t *self, bool restarted)
{
    if (self->counter == RESPONSE_UNKNOWN || self->pushed == RESPONSE_UNKNOWN)
        return RESPONSE_UNKNOWN;
    if (restarted)
        return self->pushed_anew == RESPONSE_UNKNOWN ? 0
                                                     : loss_ahead(self->pushed_anew, self->counter);
    return changes_sum(loss_ahead(self->pushed, self->counter),
                       self->pushed_anew == RESPONSE_UNKNOWN ? 0 : self->pushed_anew);
}

/* Call it before follow_publisher(), and when it is known what was lost and not received. */
static void measure_publisher(loss_entry_t *self, const loss_sight_t *sight, bool changed)
{
    loss_t *loss = &self->loss;
    const double seconds = sight->pushed_at - self->pushed_at;
    const bool is_comparable = self->pushed != RESPONSE_UNKNOWN &&
                               sight->pushed != RESPONSE_UNKNOWN && !changed &&
                               self->pushed_at > 0 && seconds > 0;
    const double rate =
        is_comparable ? (double)loss_ahead(sight->pushed, self->pushed) / seconds : 0;
    /* What comes late was pushed in an earlier interval. */
    const bool comes_late = loss->not_received > 0 || loss->step > 0;
    loss->push_rate = fmax(rate, comes_late ? loss->push_rate : self->push_rate);
    self->push_rate = rate;
    if (sight->pushed != RESPONSE_UNKNOWN)
        self->pushed_at = sight->pushed_at;
}

/* restarted: events of another process have arrived. */
static void follow_publisher(loss_entry_t *self, const loss_sight_t *sight, bool restarted)
{
    const bool another = loss_is_another_publisher(self, sight);
    if (restarted) {
        self->pushed = sight->pushed != RESPONSE_UNKNOWN ? sight->pushed : self->pushed_anew;
        self->pushed_anew = RESPONSE_UNKNOWN;
    } else if (sight->pushed != RESPONSE_UNKNOWN) {
        if (self->pushed == RESPONSE_UNKNOWN || (self->pushed_anew == RESPONSE_UNKNOWN && !another))
            self->pushed = sight->pushed;
        else
            self->pushed_anew = sight->pushed;
    }
    if (sight->process != 0)
        self->process = sight->process;
}

/*
 * Sets what else is known of the step. The agent has counted some of it, and knows of these which
 * were lost in an outage. Of other servers, all is that was found with the first event after one.
 */
static void tell_apart(loss_entry_t *self, const loss_sight_t *sight, const loss_step_t *found,
                       int64_t counted)
{
    const response_subscription_t *now = sight->subscription;
    loss_t *loss = &self->loss;
    const int64_t derived = found->by - counted;
    const bool early = self->before_first && !loss->interrupted;
    const int64_t in_outage =
        changes_count(self->last.outage_lost_event_count, now->counts.outage_lost_event_count).by;
    /* Tango finds no gap before a first event. */
    const bool has_gaps =
        !sight->is_agent &&
        changes_count(self->last.missed_event_count, now->counts.missed_event_count).kind ==
            COUNT_UP;
    const int64_t derived_in_outage = loss->interrupted && derived > 0 ? derived : 0;
    loss->early_step = early && !has_gaps ? derived : 0;
    loss->outage_step = changes_sum(smaller(in_outage, counted), derived_in_outage);
    self->derived_in_outage = changes_sum(self->derived_in_outage, derived_in_outage);
}

void loss_entry_go_on(loss_entry_t *self, const loss_sight_t *sight)
{
    const response_subscription_t *now = sight->subscription;
    const loss_t before = self->loss;
    const loss_step_t found = loss_between(self, sight);
    const bool restarted = loss_publisher_restarted(self, sight);
    const bool came = now->counts.event_count > self->last.event_count;
    const bool changed = loss_publisher_changed(self, sight);
    const bool unsure = came && !restarted && changed;
    const int64_t counted = sight->is_agent ? changes_count(self->last.known_lost_event_count,
                                                            now->counts.known_lost_event_count)
                                                  .by
                                            : 0;
    const uint64_t resubscribed = resubscribed_of(now);
    self->loss.interrupted |=
        restarted || changed || (resubscribed != 0 && resubscribed != self->resubscribed);
    tell_apart(self, sight, &found, counted);
    self->loss.interrupted &= !came;
    self->loss.publisher_changed = changed || (self->loss.publisher_changed && !came);
    self->derived = changes_sum(self->derived, found.by - counted);
    /* The agent doesn't count what the old process pushed at its end. */
    self->exact &= found.exact && !restarted && !changed;
    remember(self, sight);
    self->loss.pushed = sight->pushed;
    self->loss.step = found.by;
    self->loss.step_is_minimum = !found.exact;
    self->loss.overdue_step = before.not_received > 0 ? smaller(before.not_received, found.by) : 0;
    self->loss.not_received =
        unsure || loss_has_no_numbers(now) ? RESPONSE_UNKNOWN : still_to_come(self, restarted);
    measure_publisher(self, sight, restarted || changed);
    follow_publisher(self, sight, restarted || unsure);
    wait_for_first(self, sight);
    set_level(self, sight);
    self->loss.step_is_minimum |= (restarted || changed) && self->loss.source == LOSS_DERIVED;
    self->loss.is_news = found.by > 0 || self->loss.not_received != before.not_received ||
                         self->loss.source != before.source ||
                         self->loss.is_minimum != before.is_minimum;
}
