#include "monitor/comparison.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "response/memory.h"

size_t comparison_prefix_length(const char *name)
{
    static const char scheme[] = "tango://";
    if (strncmp(name, scheme, sizeof scheme - 1) != 0)
        return 0;
    const char *slash = strchr(name + sizeof scheme - 1, '/');
    return slash ? (size_t)(slash - name) + 1 : 0;
}

static bool matches(const stream_filter_t *self, const char *name)
{
    for (size_t i = 0; i < self->count; i++)
        if (fnmatch(self->patterns[i], name, FNM_CASEFOLD) == 0 ||
            fnmatch(self->patterns[i], name + comparison_prefix_length(name), FNM_CASEFOLD) == 0)
            return true;
    return false;
}

bool stream_filter_takes(const stream_filter_t *self, const char *name)
{
    if (self->count == 0 || matches(self, name))
        return true;
    char *stream = response_stream_of_topic(name);
    bool takes = matches(self, stream);
    char *dot = strrchr(stream, '.');
    if (!takes && dot && !strchr(dot, '/')) {
        *dot = '\0';
        takes = matches(self, stream);
    }
    free(stream);
    return takes;
}

bool stream_filter_takes_attribute(const stream_filter_t *self,
                                   const response_not_connected_t *entry)
{
    char *name = memory_format("%s/%s", entry->device, entry->attribute);
    const bool takes = stream_filter_takes(self, name);
    free(name);
    return takes;
}

static double rate_of(count_step_t step, double seconds)
{
    const bool known = (step.kind == COUNT_UP || step.kind == COUNT_SAME) && seconds > 0;
    return known ? (double)step.by / seconds : NAN;
}

/* ---- publishers ---- */

/* Events pushed so far: the built-in command counts the one to come as well. */
static int64_t pushed_count(const response_t *response, const response_publisher_t *publisher)
{
    const int64_t count = publisher->event_count;
    return count > 0 && response_pushed_count_is_next(response) ? count - 1 : count;
}

static published_row_t compare_published(const server_part_t *part,
                                         const publisher_change_t *change)
{
    published_row_t row = {.change = change, .step = {.kind = COUNT_UNKNOWN, .by = 0}};
    const response_t *response = part->reply->response;
    row.name = (change->after ? change->after : change->before)->name;
    row.pushed = change->after ? pushed_count(response, change->after)
                               : pushed_count(part->before, change->before);
    const bool comparable = change->kind == CHANGE_CHANGED && !part->changes->counters_restarted;
    if (comparable)
        row.step = changes_server_counter(pushed_count(part->before, change->before), row.pushed);
    row.restarted = row.step.kind == COUNT_RESTARTED;
    row.rate = rate_of(row.step, part->seconds);
    row.push_event =
        durations_between(comparable && !row.restarted ? change->before->push_event : NULL,
                          change->after ? change->after->push_event : NULL);
    return row;
}

/* ---- subscriptions ---- */

/* How many of a count are news: all of them, if there is nothing to compare with. */
static int64_t news_of(count_step_t step, int64_t after)
{
    if (step.kind == COUNT_UNKNOWN)
        return after == RESPONSE_UNKNOWN ? 0 : after;
    return step.by;
}

static void compare_counts(subscription_row_t *row, const response_subscription_t *before,
                           const response_subscription_t *after)
{
    row->received = changes_count(before->event_count, after->event_count);
    row->missed = changes_count(before->missed_event_count, after->missed_event_count);
    row->lost = changes_count(before->lost_event_count, after->lost_event_count);
    row->outage_lost =
        changes_count(before->outage_lost_event_count, after->outage_lost_event_count);
    row->discarded = changes_count(before->discarded_event_count, after->discarded_event_count);
    row->publisher_restarts =
        changes_count(before->publisher_restart_count, after->publisher_restart_count);
    row->restarted =
        row->received.kind == COUNT_RESTARTED || row->missed.kind == COUNT_RESTARTED ||
        row->lost.kind == COUNT_RESTARTED || row->outage_lost.kind == COUNT_RESTARTED ||
        row->discarded.kind == COUNT_RESTARTED || row->publisher_restarts.kind == COUNT_RESTARTED;
    const count_step_t counter =
        changes_server_counter(before->server_counter, after->server_counter);
    row->publisher_restarted = row->publisher_restarts.kind == COUNT_UP ||
                               (row->publisher_restarts.kind == COUNT_UNKNOWN && !row->restarted &&
                                counter.kind == COUNT_RESTARTED);
}

static subscription_row_t compare_subscription(const server_part_t *part,
                                               const subscription_change_t *change)
{
    const count_step_t unknown = {.kind = COUNT_UNKNOWN, .by = 0};
    subscription_row_t row = {
        .change = change,
        .received = unknown,
        .missed = unknown,
        .lost = unknown,
        .outage_lost = unknown,
        .discarded = unknown,
        .publisher_restarts = unknown,
    };
    const response_subscription_t *before = change->before;
    const response_subscription_t *after = change->after;
    row.topic = (after ? after : before)->topic;
    if (before && after && !part->changes->counters_restarted)
        compare_counts(&row, before, after);
    else
        before = NULL;
    if (row.restarted) {
        /* Counts that are higher than before by chance can't be compared either. */
        row.received = row.missed = row.lost = row.outage_lost = unknown;
        row.discarded = row.publisher_restarts = unknown;
        before = NULL;
    }
    if (after) {
        row.new_losses = after->lost_event_count != RESPONSE_UNKNOWN
                             ? news_of(row.lost, after->lost_event_count)
                             : news_of(row.missed, after->missed_event_count);
        row.latency = durations_between(before ? before->latency : NULL, after->latency);
        row.processing = durations_between(before ? before->processing : NULL, after->processing);
    } else {
        row.latency = row.processing = durations_between(NULL, NULL);
    }
    row.rate = rate_of(row.received, part->seconds);
    return row;
}

static bool has_restarted(const subscription_row_t *row)
{
    return row->restarted || row->publisher_restarted;
}

/* Streams that lost most come first, then those that restarted, all others in their names' order.
 */
static int compare_rows(const void *a, const void *b)
{
    const subscription_row_t *left = a;
    const subscription_row_t *right = b;
    if (left->new_losses != right->new_losses)
        return left->new_losses < right->new_losses ? 1 : -1;
    if (has_restarted(left) != has_restarted(right))
        return has_restarted(left) ? -1 : 1;
    return left->change < right->change ? -1 : left->change > right->change;
}

/* ---- servers ---- */

static double seconds_of(const snapshot_t *snapshot, const reply_t *reply)
{
    const bool own = reply->time.tv_sec != 0 || reply->time.tv_nsec != 0;
    const struct timespec *time = own ? &reply->time : &snapshot->time;
    return (double)time->tv_sec + (double)time->tv_nsec / 1e9;
}

static void compare_streams(server_part_t *part, const stream_filter_t *filter)
{
    const changes_t *changes = part->changes;
    part->published = memory_new(changes->publisher_count, sizeof *part->published);
    part->subscriptions = memory_new(changes->subscription_count, sizeof *part->subscriptions);
    for (size_t i = 0; i < changes->publisher_count; i++) {
        const published_row_t row = compare_published(part, &changes->publishers[i]);
        if (stream_filter_takes(filter, row.name))
            part->published[part->published_count++] = row;
    }
    for (size_t i = 0; i < changes->subscription_count; i++) {
        const subscription_row_t row = compare_subscription(part, &changes->subscriptions[i]);
        if (!stream_filter_takes(filter, row.topic))
            continue;
        part->subscriptions[part->subscription_count++] = row;
        part->new_losses += row.new_losses;
    }
    if (part->subscription_count > 1)
        qsort(part->subscriptions, part->subscription_count, sizeof *part->subscriptions,
              compare_rows);
}

static server_part_t compare_reply(const snapshot_t *previous, const snapshot_t *current,
                                   size_t place, const stream_filter_t *filter)
{
    server_part_t part = {.reply = &current->replies[place], .seconds = NAN};
    const reply_t *before = previous ? snapshot_find(previous, part.reply->server, place) : NULL;
    part.failed = before ? before->error : NULL;
    if (!part.reply->response || part.reply->error)
        return part;
    if (before && before->response) {
        part.before = before->response;
        part.seconds = seconds_of(current, part.reply) - seconds_of(previous, before);
    }
    part.changes = changes_new(part.before, part.reply->response);
    compare_streams(&part, filter);
    return part;
}

/* What somebody at a terminal has to see first. */
static int urgency(const server_part_t *part)
{
    if (!part->changes)
        return 3;
    if (part->changes->server_restarted || part->failed)
        return 2;
    /* In a first answer, losses may be of long ago. */
    return part->new_losses > 0 && !part->changes->first ? 1 : 0;
}

static int compare_parts(const void *a, const void *b)
{
    const server_part_t *left = a;
    const server_part_t *right = b;
    if (urgency(left) != urgency(right))
        return urgency(left) < urgency(right) ? 1 : -1;
    return left->reply < right->reply ? -1 : left->reply > right->reply;
}

comparison_t *comparison_new(const snapshot_t *previous, const snapshot_t *current,
                             const stream_filter_t *filter)
{
    comparison_t *self = memory_new(1, sizeof *self);
    self->parts = memory_new(current->reply_count, sizeof *self->parts);
    self->part_count = current->reply_count;
    for (size_t i = 0; i < self->part_count; i++) {
        self->parts[i] = compare_reply(previous, current, i, filter);
        self->failed += !self->parts[i].changes;
    }
    if (self->part_count > 1)
        qsort(self->parts, self->part_count, sizeof *self->parts, compare_parts);
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
    }
    free(comparison->parts);
    free(comparison);
    *self = NULL;
}
