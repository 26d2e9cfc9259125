#include "monitor/analysis/changes.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "monitor/model/continuity.h"

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static int compare_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "");
}

static bool same_publisher(const response_publisher_t *a, const response_publisher_t *b)
{
    return counters_are_same(&counters_of_publisher, &a->counts, &b->counts) &&
           a->has_subscribers == b->has_subscribers && same_text(a->last_event, b->last_event);
}

static bool same_subscription(const response_subscription_t *a, const response_subscription_t *b)
{
    return counters_are_same(&counters_of_subscription, &a->counts, &b->counts) &&
           a->lost_is_minimum == b->lost_is_minimum &&
           same_text(a->channel_name, b->channel_name) &&
           same_text(a->last_resubscribed, b->last_resubscribed) &&
           same_text(a->last_event, b->last_event);
}

static int compare_publishers(const void *a, const void *b)
{
    return compare_text(((const response_publisher_t *)a)->name,
                        ((const response_publisher_t *)b)->name);
}

static int compare_subscriptions(const void *a, const void *b)
{
    return compare_text(((const response_subscription_t *)a)->topic,
                        ((const response_subscription_t *)b)->topic);
}

static int compare_channels(const void *a, const void *b)
{
    return compare_text(((const response_channel_t *)a)->name,
                        ((const response_channel_t *)b)->name);
}

/* Which of the answers have an incomplete list. */
typedef struct {
    bool before; /* false if what was left out there ended with its process */
    bool after;
} left_out_t;

static left_out_t left_out_of(const changes_t *self, int64_t before, int64_t after)
{
    return (left_out_t){.before = before > 0 && !self->counts_anew,
                        .after = after > 0 || self->attached_again};
}

/* The list of an answer that is still to be merged; sorted. */
typedef struct {
    const char *next;
    size_t count;
} list_t;

/* Two such lists, of entries of the same type. */
typedef struct {
    list_t before;
    list_t after;
    size_t entry_size;
    int (*compare)(const void *, const void *);
    left_out_t left_out;
} merge_t;

static merge_t merge_of(const void *before, size_t before_count, const void *after,
                        size_t after_count, size_t entry_size,
                        int (*compare)(const void *, const void *))
{
    return (merge_t){.before = {.next = before, .count = before_count},
                     .after = {.next = after, .count = after_count},
                     .entry_size = entry_size,
                     .compare = compare};
}

/* What belongs together of the two lists: either may be missing. */
typedef struct {
    change_kind_t kind; /* changed: it is in both */
    const void *before;
    const void *after;
} pair_t;

static const void *take(list_t *list, size_t entry_size)
{
    const void *entry = list->next;
    list->next += entry_size;
    list->count--;
    return entry;
}

/* The order of the two next entries; a list that has ended comes after everything. */
static int order_of(const merge_t *self)
{
    if (self->before.count == 0)
        return 1;
    return self->after.count > 0 ? self->compare(self->before.next, self->after.next) : -1;
}

/*
 * One step of a merge. An entry of the earlier answer that the later one may have left out isn't
 * gone: it is skipped. False at the end.
 */
static bool merge_next(merge_t *self, pair_t *pair)
{
    while (self->before.count > 0 || self->after.count > 0) {
        const int order = order_of(self);
        pair->before = order <= 0 ? take(&self->before, self->entry_size) : NULL;
        pair->after = order >= 0 ? take(&self->after, self->entry_size) : NULL;
        if (order > 0)
            pair->kind = self->left_out.before ? CHANGE_UNSURE : CHANGE_NEW;
        else
            pair->kind = order < 0 ? CHANGE_REMOVED : CHANGE_CHANGED;
        if (order >= 0 || !self->left_out.after)
            return true;
    }
    return false;
}

/* A publisher is in one or both of two lists. */
static int64_t publishers_left_out(const response_t *response)
{
    return response->truncated.event_streams > 0 ? response->truncated.event_streams
                                                 : response->truncated.event_counters;
}

static void find_publishers(changes_t *self, const response_t *before, const response_t *after)
{
    merge_t merge =
        merge_of(before->publishers, before->publisher_count, after->publishers,
                 after->publisher_count, sizeof *before->publishers, compare_publishers);
    merge.left_out = left_out_of(self, publishers_left_out(before), publishers_left_out(after));
    self->publishers =
        memory_new(before->publisher_count + after->publisher_count, sizeof *self->publishers);
    for (pair_t pair; merge_next(&merge, &pair);)
        if (pair.kind != CHANGE_CHANGED || self->counters_restarted ||
            !same_publisher(pair.before, pair.after))
            self->publishers[self->publisher_count++] =
                (publisher_change_t){.kind = pair.kind, .before = pair.before, .after = pair.after};
}

static void find_subscriptions(changes_t *self, const response_t *before, const response_t *after,
                               changes_has_news_t has_news, const void *context)
{
    merge_t merge =
        merge_of(before->subscriptions, before->subscription_count, after->subscriptions,
                 after->subscription_count, sizeof *before->subscriptions, compare_subscriptions);
    merge.left_out =
        left_out_of(self, before->truncated.event_callbacks, after->truncated.event_callbacks);
    self->subscriptions = memory_new(before->subscription_count + after->subscription_count,
                                     sizeof *self->subscriptions);
    for (pair_t pair; merge_next(&merge, &pair);) {
        const response_subscription_t *now = pair.after;
        if (pair.kind != CHANGE_CHANGED || self->counters_restarted ||
            !same_subscription(pair.before, now) || (has_news && has_news(context, now->topic)))
            self->subscriptions[self->subscription_count++] =
                (subscription_change_t){.kind = pair.kind, .before = pair.before, .after = now};
    }
}

static bool same_channel(const response_channel_t *a, const response_channel_t *b)
{
    return counters_are_same(&counters_of_channel, &a->counts, &b->counts) &&
           same_text(a->endpoint, b->endpoint) && same_text(a->event_endpoint, b->event_endpoint);
}

static void find_channels(changes_t *self, const response_t *before, const response_t *after)
{
    merge_t merge = merge_of(before->channels, before->channel_count, after->channels,
                             after->channel_count, sizeof *before->channels, compare_channels);
    merge.left_out =
        left_out_of(self, before->truncated.event_channels, after->truncated.event_channels);
    self->channels =
        memory_new(before->channel_count + after->channel_count, sizeof *self->channels);
    for (pair_t pair; merge_next(&merge, &pair);)
        if (pair.kind != CHANGE_CHANGED || !same_channel(pair.before, pair.after))
            self->channels[self->channel_count++] =
                (channel_change_t){.kind = pair.kind, .before = pair.before, .after = pair.after};
}

static void find_not_connected(changes_t *self, const response_t *before, const response_t *after)
{
    merge_t merge = merge_of(before->not_connected, before->not_connected_count,
                             after->not_connected, after->not_connected_count,
                             sizeof *before->not_connected, response_compare_not_connected);
    merge.left_out =
        left_out_of(self, before->truncated.not_connected, after->truncated.not_connected);
    self->not_connected = memory_new(before->not_connected_count + after->not_connected_count,
                                     sizeof *self->not_connected);
    for (pair_t pair; merge_next(&merge, &pair);)
        if (pair.kind != CHANGE_CHANGED)
            self->not_connected[self->not_connected_count++] = (not_connected_change_t){
                .kind = pair.kind, .before = pair.before, .after = pair.after};
}

changes_t *changes_new(const response_t *before, const response_t *after,
                       changes_has_news_t has_news, const void *context)
{
    static const response_t nothing;
    changes_t *self = memory_new(1, sizeof *self);
    if (before) {
        self->server_restarted = continuity_is_another_process(before, after);
        self->counts_anew = continuity_counts_anew(before, after);
        self->attached_again = self->counts_anew && !self->server_restarted;
        self->counters_restarted = self->counts_anew || before->dialect != after->dialect;
    } else {
        self->first = true;
        before = &nothing;
    }
    find_publishers(self, before, after);
    find_subscriptions(self, before, after, has_news, context);
    find_channels(self, before, after);
    find_not_connected(self, before, after);
    return self;
}

void changes_destroy(changes_t **self)
{
    changes_t *changes = *self;
    if (!changes)
        return;
    free(changes->publishers);
    free(changes->subscriptions);
    free(changes->channels);
    free(changes->not_connected);
    free(changes);
    *self = NULL;
}

bool changes_any(const changes_t *self)
{
    return self->counters_restarted || self->publisher_count > 0 || self->subscription_count > 0 ||
           self->channel_count > 0 || self->not_connected_count > 0;
}

int64_t changes_sum(int64_t a, int64_t b)
{
    int64_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

count_step_t changes_count(int64_t before, int64_t after)
{
    if (before == RESPONSE_UNKNOWN || after == RESPONSE_UNKNOWN)
        return (count_step_t){.kind = COUNT_UNKNOWN, .by = 0};
    if (after < before)
        return (count_step_t){.kind = COUNT_RESTARTED, .by = after};
    return (count_step_t){.kind = after > before ? COUNT_UP : COUNT_SAME, .by = after - before};
}

/*
 * A counter that fell has wrapped if that means few events, fewer than any server could push from
 * one poll to the next; otherwise its process has restarted.
 */
count_step_t changes_server_counter(int64_t before, int64_t after)
{
    const int64_t range = INT64_C(1) << 32;
    const int64_t few = INT64_C(1) << 26;
    count_step_t step = changes_count(before, after);
    if (step.kind == COUNT_RESTARTED && before < range && after + range - before < few)
        return (count_step_t){.kind = COUNT_UP, .by = after + range - before};
    return step;
}
