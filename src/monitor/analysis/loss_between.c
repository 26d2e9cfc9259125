#include "monitor/analysis/loss_between.h"

#include <string.h>

#include "monitor/analysis/changes.h"

/* ---- counters ---- */

int64_t loss_ahead(int64_t number, int64_t of)
{
    const uint32_t by = (uint32_t)number - (uint32_t)of;
    return by < UINT32_C(1) << 31 ? by : 0;
}

static bool numbers_began_again(int64_t before, int64_t after)
{
    return changes_server_counter(before, after).kind == COUNT_RESTARTED;
}

/*
 * cppTango 9.3 sends the counter 0 with every event of a server without a database; other answers
 * may lack a count. Nothing can be derived from either.
 */
bool loss_has_no_numbers(const response_subscription_t *now)
{
    return now->counts.server_counter == RESPONSE_UNKNOWN ||
           now->counts.event_count == RESPONSE_UNKNOWN ||
           (now->counts.server_counter == 0 && now->counts.event_count > 0);
}

bool loss_counted_exactly(const response_subscription_t *now)
{
    return now->counts.lost_event_count != RESPONSE_UNKNOWN && !now->lost_is_minimum;
}

/* ---- what was lost in between ---- */

/* Each gap that its Tango found is at least one event, and no more are missing than were numbered
 * and not received. */
loss_step_t loss_since_it_began(const loss_sight_t *sight)
{
    const response_subscription_t *now = sight->subscription;
    if (sight->is_agent)
        return (loss_step_t){
            .by = now->counts.known_lost_event_count > 0 ? now->counts.known_lost_event_count : 0,
            .exact = loss_counted_exactly(now)};
    if (loss_has_no_numbers(now) || now->counts.missed_event_count == RESPONSE_UNKNOWN)
        return (loss_step_t){.by = 0, .exact = now->counts.event_count == 0};
    /* A counter below the number of events is from another publisher process than the first one. */
    const int64_t missed = now->counts.missed_event_count;
    const int64_t most = now->counts.server_counter - now->counts.event_count;
    return (loss_step_t){.by = missed, .exact = most >= 0 && (missed == 0 || missed == most)};
}

bool loss_publisher_restarted(const loss_entry_t *before, const loss_sight_t *sight)
{
    const response_subscription_t *now = sight->subscription;
    if (now->counts.event_count == before->last.event_count)
        return false;
    /* Of the events pushed before the first answer, the last ones may not have arrived. */
    return changes_count(before->last.publisher_restart_count, now->counts.publisher_restart_count)
                   .kind == COUNT_UP ||
           (!before->before_first &&
            numbers_began_again(before->counter, now->counts.server_counter));
}

bool loss_is_another_publisher(const loss_entry_t *before, const loss_sight_t *sight)
{
    const int64_t last =
        before->pushed_anew == RESPONSE_UNKNOWN ? before->pushed : before->pushed_anew;
    return (before->process != 0 && sight->process != 0 && before->process != sight->process) ||
           numbers_began_again(last, sight->pushed);
}

bool loss_publisher_changed(const loss_entry_t *before, const loss_sight_t *sight)
{
    const bool moved =
        before->endpoint && sight->endpoint && strcmp(before->endpoint, sight->endpoint) != 0;
    return moved || before->pushed_anew != RESPONSE_UNKNOWN ||
           loss_is_another_publisher(before, sight);
}

/*
 * After a restart of the publisher: what the old process had pushed and nobody had received when it
 * was last asked, and what the new one has numbered, less what was received. The old one may have
 * pushed more since.
 */
static loss_step_t lost_with_a_restart(const loss_entry_t *before, const loss_sight_t *sight)
{
    const response_subscription_t *now = sight->subscription;
    const bool is_of_old =
        before->pushed != RESPONSE_UNKNOWN &&
        (before->pushed_anew != RESPONSE_UNKNOWN || loss_is_another_publisher(before, sight));
    const int64_t waited = is_of_old ? loss_ahead(before->pushed, before->counter) : 0;
    const int64_t received = now->counts.event_count - before->last.event_count;
    const int64_t lost = changes_sum(waited, now->counts.server_counter) - received;
    return (loss_step_t){.by = lost > 0 ? lost : 0, .exact = false};
}

/* As far as the gaps show: at least this many. */
static loss_step_t lost_by_jumps(const loss_entry_t *before, const loss_sight_t *sight)
{
    const int64_t missed = changes_count(before->last.missed_event_count,
                                         sight->subscription->counts.missed_event_count)
                               .by;
    return (loss_step_t){.by = missed, .exact = false};
}

/*
 * Between a subscription's first answer and its first event, what its publisher had pushed by then
 * takes the place of a number. Events that were under way at that moment may come later.
 */
static loss_step_t lost_before_first(const loss_entry_t *before, const loss_sight_t *sight,
                                     int64_t numbered)
{
    const response_subscription_t *now = sight->subscription;
    const int64_t lost =
        numbered > now->counts.event_count ? numbered - now->counts.event_count : 0;
    const count_step_t missed =
        changes_count(before->last.missed_event_count, now->counts.missed_event_count);
    /*
     * A publisher whose agent was loaded late counts from then on, but numbers from the beginning.
     */
    const int64_t pushed = loss_ahead(sight->pushed, before->counter);
    const bool counts_otherwise =
        sight->pushed == RESPONSE_UNKNOWN || sight->process != before->process ||
        (sight->process != 0 && loss_ahead(now->counts.server_counter, sight->pushed) >
                                    changes_sum(pushed, now->counts.event_count));
    if (counts_otherwise || missed.by > lost)
        return lost_by_jumps(before, sight);
    return (loss_step_t){.by = lost, .exact = missed.kind != COUNT_UNKNOWN};
}

/* What the server counters show, without the agent's count. */
static loss_step_t derive(const loss_entry_t *before, const loss_sight_t *sight)
{
    const response_subscription_t *now = sight->subscription;
    const int64_t received = now->counts.event_count - before->last.event_count;
    /* Nobody knows what an old process pushed at its end. */
    if (received == 0)
        return (loss_step_t){.by = 0, .exact = !loss_publisher_changed(before, sight)};
    if (before->counter == RESPONSE_UNKNOWN)
        return loss_since_it_began(sight);
    if (loss_publisher_restarted(before, sight))
        return lost_with_a_restart(before, sight);
    if (loss_publisher_changed(before, sight))
        return lost_by_jumps(before, sight);
    const count_step_t numbered =
        changes_server_counter(before->counter, now->counts.server_counter);
    const int64_t lost = numbered.by - received;
    if (before->before_first)
        return lost_before_first(before, sight, numbered.kind == COUNT_UP ? numbered.by : 0);
    /* If something is missing, Tango has found a gap, and each gap is at least one event. */
    const count_step_t missed =
        changes_count(before->last.missed_event_count, now->counts.missed_event_count);
    const bool contradicts = lost < missed.by || (lost > 0 && missed.by == 0);
    if (lost < 0 || (missed.kind != COUNT_UNKNOWN && contradicts))
        return lost_by_jumps(before, sight);
    return (loss_step_t){.by = lost, .exact = true};
}

loss_step_t loss_between(const loss_entry_t *before, const loss_sight_t *sight)
{
    const response_subscription_t *now = sight->subscription;
    const bool derives = !loss_has_no_numbers(now) && before->last.event_count != RESPONSE_UNKNOWN;
    const loss_step_t derived =
        derives ? derive(before, sight) : (loss_step_t){.by = 0, .exact = false};
    if (!sight->is_agent)
        return derived;
    const loss_step_t counted = {
        .by = changes_count(before->last.known_lost_event_count, now->counts.known_lost_event_count)
                  .by,
        .exact = before->counted_exactly && loss_counted_exactly(now),
    };
    /* Before a first event the agent has nothing to count from, and of what a publisher pushed
     * before it ended it knows nothing. Everywhere else it has seen each event, and we haven't. */
    const bool sees_less =
        !counted.exact || before->before_first || loss_publisher_restarted(before, sight);
    const bool says_more = derived.by > counted.by || (derived.exact && !counted.exact);
    return sees_less && says_more && derived.by >= counted.by ? derived : counted;
}
