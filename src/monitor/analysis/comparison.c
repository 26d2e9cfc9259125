#include "monitor/analysis/comparison.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "monitor/model/continuity.h"

static int64_t step_of(const counter_t *counter, int64_t before, int64_t after)
{
    const count_step_t step = counter->kind == COUNTER_WRAPS ? changes_server_counter(before, after)
                                                             : changes_count(before, after);
    return step.kind == COUNT_UNKNOWN ? RESPONSE_UNKNOWN : step.by;
}

/* What was counted since the previous counts, or, if before is NULL, since they began at 0. */
static void set_steps(const counters_t *counters, void *steps, const void *before,
                      const void *after)
{
    for (size_t i = 0; i < counters->count; i++) {
        const counter_t *counter = &counters->list[i];
        const int64_t count = counter_of(counter, after);
        const bool counts_up = counter->kind == COUNTER_GROWS || counter->kind == COUNTER_WRAPS;
        *counter_in(counter, steps) = !counts_up ? RESPONSE_UNKNOWN
                                      : before
                                          ? step_of(counter, counter_of(counter, before), count)
                                          : count;
    }
}

static double rate_of(int64_t step, double seconds)
{
    return step != RESPONSE_UNKNOWN && seconds > 0 ? (double)step / seconds : NAN;
}

/* Whether an entry began since the previous answer, so that all its counts are news. One that
 * another dialect doesn't show may have existed before. */
static bool began_since(const server_part_t *part, change_kind_t kind)
{
    const changes_t *changes = part->changes;
    return changes->counts_anew ||
           (kind == CHANGE_NEW && !changes->first && !changes->counters_restarted);
}

/* ---- publishers ---- */

/* What is counted of a publisher, without the event to come. */
static publisher_counts_t counts_of(const response_t *response, const response_publisher_t *one)
{
    publisher_counts_t counts = one->counts;
    counts.pushed_event_count = response_pushed_count(response, one);
    return counts;
}

static published_row_t compare_published(const server_part_t *part,
                                         const publisher_change_t *change)
{
    const response_publisher_t *before = change->before;
    const response_publisher_t *after = change->after;
    published_row_t row = {
        .change = change,
        .name = (after ? after : before)->name,
        .counts = after ? counts_of(part->reply->response, after) : counts_of(part->before, before),
        .rate = NAN,
    };
    counters_clear(&counters_of_publisher, &row.steps);
    const bool comparable = change->kind == CHANGE_CHANGED && !part->changes->counters_restarted;
    if (comparable) {
        const publisher_counts_t last = counts_of(part->before, before);
        set_steps(&counters_of_publisher, &row.steps, &last, &row.counts);
        row.restarted =
            changes_server_counter(last.pushed_event_count, row.counts.pushed_event_count).kind ==
            COUNT_RESTARTED;
    }
    const bool is_new = after && began_since(part, change->kind);
    if (row.restarted || is_new)
        set_steps(&counters_of_publisher, &row.steps, NULL, &row.counts);
    /* A late agent finds a stream with its next event, whose number tells of all before. */
    if (is_new && response_is_late(part->reply->response) && !part->changes->server_restarted)
        counters_clear(&counters_of_publisher, &row.steps);
    else if (!row.restarted && !is_new)
        row.rate = rate_of(row.steps.pushed_event_count, part->seconds);
    row.push_event_span = (duration_span_t){
        .before = comparable && !row.restarted ? before->push_event : NULL,
        .after = after && change->kind != CHANGE_UNSURE ? after->push_event : NULL};
    row.push_event = durations_between(row.push_event_span.before, row.push_event_span.after);
    return row;
}

/* ---- subscriptions ---- */

static void compare_counts(subscription_row_t *row, const subscription_counts_t *before,
                           const subscription_counts_t *after, bool is_new)
{
    row->restarted = is_new || counters_fell(&counters_of_subscription, before, after);
    /* Counts that happen to be higher than before can't be compared either. */
    set_steps(&counters_of_subscription, &row->steps, row->restarted ? NULL : before, after);
    const count_step_t restarts =
        changes_count(before->publisher_restart_count, after->publisher_restart_count);
    const count_step_t counter =
        changes_server_counter(before->server_counter, after->server_counter);
    row->publisher_restarted =
        restarts.kind == COUNT_UP ||
        (restarts.kind == COUNT_UNKNOWN && !row->restarted && counter.kind == COUNT_RESTARTED);
}

static void find_losses(subscription_row_t *row, const response_subscription_t *after, bool first)
{
    const loss_t *loss = &row->loss;
    if (first) {
        const bool counted = after->counts.known_lost_event_count > 0;
        const int64_t missed =
            after->counts.missed_event_count > 0 ? after->counts.missed_event_count : 0;
        row->earlier_losses = counted ? after->counts.known_lost_event_count : missed;
        row->only_misses = !counted;
        return;
    }
    row->new_losses = loss->step;
    if (loss->step > 0 || (loss->source != LOSS_UNKNOWN && !loss->step_is_minimum))
        return;
    row->new_losses = row->steps.missed_event_count > 0 ? row->steps.missed_event_count : 0;
    row->only_misses = true;
}

/* What is shown of a subscription that is gone, or that nobody has looked into: what the answer
 * says. */
static loss_t loss_in_answer(const response_subscription_t *subscription)
{
    const bool known = subscription->counts.lost_event_count != RESPONSE_UNKNOWN;
    return (loss_t){.source = known ? LOSS_COUNTED : LOSS_UNKNOWN,
                    .lost = subscription->counts.lost_event_count,
                    .is_minimum = subscription->lost_is_minimum,
                    .step_is_minimum = !known,
                    .pushed = RESPONSE_UNKNOWN,
                    .not_received = RESPONSE_UNKNOWN};
}

static subscription_row_t compare_subscription(const server_part_t *part,
                                               const subscription_change_t *change,
                                               const server_losses_t *losses)
{
    const response_subscription_t *before = change->before;
    const response_subscription_t *after = change->after;
    subscription_row_t row = {
        .change = change,
        .topic = (after ? after : before)->topic,
        .counts = &(after ? after : before)->counts,
        .loss = loss_in_answer(after ? after : before),
        .rate = NAN,
        .latency = durations_between(NULL, NULL),
        .processing = durations_between(NULL, NULL),
    };
    counters_clear(&counters_of_subscription, &row.steps);
    if (!after)
        return row;
    const loss_t *loss = losses_find(losses, row.topic);
    if (loss)
        row.loss = *loss;
    const bool comparable = before && !part->changes->counters_restarted;
    if (comparable)
        compare_counts(&row, &before->counts, &after->counts,
                       continuity_is_new(part->reply->response->dialect,
                                         before->last_resubscribed != NULL, after));
    else if (began_since(part, change->kind))
        set_steps(&counters_of_subscription, &row.steps, NULL, &after->counts);
    const bool goes_on = comparable && !row.restarted;
    if (goes_on)
        row.rate = rate_of(row.steps.event_count, part->seconds);
    find_losses(&row, after, part->changes->first);
    if (change->kind != CHANGE_UNSURE) {
        row.latency_span = (duration_span_t){goes_on ? before->latency : NULL, after->latency};
        row.processing_span =
            (duration_span_t){goes_on ? before->processing : NULL, after->processing};
        row.latency = durations_between(row.latency_span.before, row.latency_span.after);
        row.processing = durations_between(row.processing_span.before, row.processing_span.after);
    }
    return row;
}

/* ---- channels ---- */

static channel_row_t compare_channel(const server_part_t *part, const channel_change_t *change)
{
    const response_channel_t *before = change->before;
    const response_channel_t *after = change->after;
    channel_row_t row = {.change = change, .shown = after ? after : before};
    counters_clear(&counters_of_channel, &row.steps);
    if (!after)
        return row;
    const bool comparable = before && !part->changes->counters_restarted;
    const bool restarted =
        comparable && counters_fell(&counters_of_channel, &before->counts, &after->counts);
    if (comparable && !restarted)
        set_steps(&counters_of_channel, &row.steps, &before->counts, &after->counts);
    else if (restarted || began_since(part, change->kind))
        set_steps(&counters_of_channel, &row.steps, NULL, &after->counts);
    return row;
}

/* ---- servers ---- */

static double seconds_of(const snapshot_t *snapshot, const reply_t *reply)
{
    const bool own = reply->time.tv_sec != 0 || reply->time.tv_nsec != 0;
    const struct timespec *time = own ? &reply->time : &snapshot->time;
    return (double)time->tv_sec + (double)time->tv_nsec / 1e9;
}

/*
 * From one answer of a server to its next, by the monotonic clock; for recordings without it, or
 * from two computers' clocks, by the time of day when it was asked.
 */
static double seconds_between(const snapshot_t *previous, const reply_t *before,
                              const snapshot_t *current, const reply_t *reply)
{
    const double seconds = reply->answered - before->answered;
    const double by_day = seconds_of(current, reply) - seconds_of(previous, before);
    /* The clock of a rebooted computer is back by at least its former uptime. */
    const bool other_boot = current->is_recorded && by_day - seconds >= before->answered;
    return before->answered > 0 && seconds > 0 && !other_boot ? seconds : by_day;
}

static bool has_loss_news(const void *losses, const char *topic)
{
    const loss_t *loss = losses_find(losses, topic);
    return loss && loss->is_news;
}

static void compare_streams(server_part_t *part, const server_losses_t *losses)
{
    const changes_t *changes = part->changes;
    part->published = memory_new(changes->publisher_count, sizeof *part->published);
    part->subscriptions = memory_new(changes->subscription_count, sizeof *part->subscriptions);
    for (size_t i = 0; i < changes->publisher_count; i++)
        part->published[part->published_count++] = compare_published(part, &changes->publishers[i]);
    for (size_t i = 0; i < changes->subscription_count; i++)
        part->subscriptions[part->subscription_count++] =
            compare_subscription(part, &changes->subscriptions[i], losses);
    part->channels = memory_new(changes->channel_count, sizeof *part->channels);
    for (size_t i = 0; i < changes->channel_count; i++)
        part->channels[part->channel_count++] = compare_channel(part, &changes->channels[i]);
}

static server_part_t compare_reply(const snapshot_t *previous, const snapshot_t *current,
                                   size_t place, const losses_t *losses)
{
    server_part_t part = {.reply = &current->replies[place], .seconds = NAN};
    const reply_t *before = previous ? snapshot_find(previous, part.reply->server, place) : NULL;
    part.failed = before ? before->error : NULL;
    if (!part.reply->response || part.reply->error)
        return part;
    if (before && before->response) {
        part.before = before->response;
        part.seconds = seconds_between(previous, before, current, part.reply);
    }
    const server_losses_t *of_server = losses_of_server(losses, part.reply->server, place);
    part.changes = changes_new(part.before, part.reply->response, has_loss_news, of_server);
    compare_streams(&part, of_server);
    return part;
}

comparison_t *comparison_new(const snapshot_t *previous, const snapshot_t *current,
                             const losses_t *losses)
{
    comparison_t *self = memory_new(1, sizeof *self);
    self->parts = memory_new(current->reply_count, sizeof *self->parts);
    self->part_count = current->reply_count;
    for (size_t i = 0; i < self->part_count; i++) {
        self->parts[i] = compare_reply(previous, current, i, losses);
        self->failed += !self->parts[i].changes;
    }
    return self;
}

void comparison_destroy(comparison_t **self)
{
    comparison_t *comparison = *self;
    if (!comparison)
        return;
    for (size_t i = 0; i < comparison->part_count; i++) {
        changes_destroy(&comparison->parts[i].changes);
        free(comparison->parts[i].published);
        free(comparison->parts[i].subscriptions);
        free(comparison->parts[i].channels);
    }
    free(comparison->parts);
    free(comparison);
    *self = NULL;
}
