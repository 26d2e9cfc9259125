#include "monitor/changes.h"

#include <stdlib.h>
#include <string.h>

#include "response/memory.h"

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
    return a->event_count == b->event_count && a->byte_count == b->byte_count &&
           a->has_subscribers == b->has_subscribers && same_text(a->last_event, b->last_event);
}

static bool same_subscription(const response_subscription_t *a, const response_subscription_t *b)
{
    return a->callback_count == b->callback_count && a->server_counter == b->server_counter &&
           a->event_count == b->event_count && a->missed_event_count == b->missed_event_count &&
           a->discarded_event_count == b->discarded_event_count &&
           a->lost_event_count == b->lost_event_count &&
           a->outage_lost_event_count == b->outage_lost_event_count &&
           a->publisher_restart_count == b->publisher_restart_count &&
           a->byte_count == b->byte_count && same_text(a->channel_name, b->channel_name) &&
           same_text(a->last_resubscribed, b->last_resubscribed) &&
           same_text(a->last_event, b->last_event);
}

static int compare_not_connected(const response_not_connected_t *a,
                                 const response_not_connected_t *b)
{
    int order = compare_text(a->device, b->device);
    if (order == 0) {
        order = compare_text(a->attribute, b->attribute);
    }
    return order != 0 ? order : compare_text(a->event_type, b->event_type);
}

/*
 * Which entries of two sorted lists belong together: one step of a merge. order is that of the two
 * next entries; a list that has ended lies behind everything.
 */
static int merge_order(bool has_before, bool has_after, int order)
{
    if (!has_before) {
        return 1;
    }
    return has_after ? order : -1;
}

static change_kind_t kind_of(int order)
{
    return order < 0 ? CHANGE_REMOVED : order > 0 ? CHANGE_NEW : CHANGE_CHANGED;
}

static void compare_publishers(changes_t *self, const response_t *before, const response_t *after)
{
    self->publishers =
        memory_new(before->publisher_count + after->publisher_count, sizeof(*self->publishers));
    size_t i = 0;
    size_t j = 0;
    while (i < before->publisher_count || j < after->publisher_count) {
        const response_publisher_t *old = &before->publishers[i];
        const response_publisher_t *now = &after->publishers[j];
        bool has_old = i < before->publisher_count;
        bool has_now = j < after->publisher_count;
        int order = merge_order(has_old, has_now,
                                has_old && has_now ? compare_text(old->name, now->name) : 0);
        i += order <= 0;
        j += order >= 0;
        if (order != 0 || self->counters_restarted || !same_publisher(old, now)) {
            self->publishers[self->publisher_count++] = (publisher_change_t){
                .kind = kind_of(order),
                .before = order <= 0 ? old : NULL,
                .after = order >= 0 ? now : NULL,
            };
        }
    }
}

static void compare_subscriptions(changes_t *self, const response_t *before,
                                  const response_t *after)
{
    self->subscriptions = memory_new(before->subscription_count + after->subscription_count,
                                     sizeof(*self->subscriptions));
    size_t i = 0;
    size_t j = 0;
    while (i < before->subscription_count || j < after->subscription_count) {
        const response_subscription_t *old = &before->subscriptions[i];
        const response_subscription_t *now = &after->subscriptions[j];
        bool has_old = i < before->subscription_count;
        bool has_now = j < after->subscription_count;
        int order = merge_order(has_old, has_now,
                                has_old && has_now ? compare_text(old->topic, now->topic) : 0);
        i += order <= 0;
        j += order >= 0;
        if (order != 0 || self->counters_restarted || !same_subscription(old, now)) {
            self->subscriptions[self->subscription_count++] = (subscription_change_t){
                .kind = kind_of(order),
                .before = order <= 0 ? old : NULL,
                .after = order >= 0 ? now : NULL,
            };
        }
    }
}

static void compare_channels(changes_t *self, const response_t *before, const response_t *after)
{
    self->channels =
        memory_new(before->channel_count + after->channel_count, sizeof(*self->channels));
    size_t i = 0;
    size_t j = 0;
    while (i < before->channel_count || j < after->channel_count) {
        const response_channel_t *old = &before->channels[i];
        const response_channel_t *now = &after->channels[j];
        bool has_old = i < before->channel_count;
        bool has_now = j < after->channel_count;
        int order = merge_order(has_old, has_now,
                                has_old && has_now ? compare_text(old->name, now->name) : 0);
        i += order <= 0;
        j += order >= 0;
        if (order != 0 || !same_text(old->endpoint, now->endpoint)) {
            self->channels[self->channel_count++] = (channel_change_t){
                .kind = kind_of(order),
                .before = order <= 0 ? old : NULL,
                .after = order >= 0 ? now : NULL,
            };
        }
    }
}

static void compare_not_connected_lists(changes_t *self, const response_t *before,
                                        const response_t *after)
{
    self->not_connected = memory_new(before->not_connected_count + after->not_connected_count,
                                     sizeof(*self->not_connected));
    size_t i = 0;
    size_t j = 0;
    while (i < before->not_connected_count || j < after->not_connected_count) {
        const response_not_connected_t *old = &before->not_connected[i];
        const response_not_connected_t *now = &after->not_connected[j];
        bool has_old = i < before->not_connected_count;
        bool has_now = j < after->not_connected_count;
        int order =
            merge_order(has_old, has_now, has_old && has_now ? compare_not_connected(old, now) : 0);
        i += order <= 0;
        j += order >= 0;
        if (order != 0) {
            self->not_connected[self->not_connected_count++] = (not_connected_change_t){
                .kind = kind_of(order),
                .before = order <= 0 ? old : NULL,
                .after = order >= 0 ? now : NULL,
            };
        }
    }
}

/*
 * The time at which the agent was attached tells processes apart better than the pid does: in a
 * container, every start of a server has the same pid.
 */
static bool is_another_process(const response_t *before, const response_t *after)
{
    bool pids = before->agent_pid != RESPONSE_UNKNOWN && after->agent_pid != RESPONSE_UNKNOWN;
    bool times = before->agent_attached && after->agent_attached;
    return (pids && before->agent_pid != after->agent_pid) ||
           (times && strcmp(before->agent_attached, after->agent_attached) != 0);
}

changes_t *changes_new(const response_t *before, const response_t *after)
{
    static const response_t nothing;
    changes_t *self = memory_new(1, sizeof(*self));
    if (before) {
        self->server_restarted = is_another_process(before, after);
        self->counters_restarted = self->server_restarted || before->dialect != after->dialect;
    } else {
        self->first = true;
        before = &nothing;
    }
    compare_publishers(self, before, after);
    compare_subscriptions(self, before, after);
    compare_channels(self, before, after);
    compare_not_connected_lists(self, before, after);
    return self;
}

void changes_destroy(changes_t **self)
{
    changes_t *changes = *self;
    if (!changes) {
        return;
    }
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

count_step_t changes_count(int64_t before, int64_t after)
{
    if (before == RESPONSE_UNKNOWN || after == RESPONSE_UNKNOWN) {
        return (count_step_t){.kind = COUNT_UNKNOWN, .by = 0};
    }
    if (after < before) {
        return (count_step_t){.kind = COUNT_RESTARTED, .by = after};
    }
    return (count_step_t){.kind = after > before ? COUNT_UP : COUNT_SAME, .by = after - before};
}

/*
 * A counter that fell has wrapped if that means few events, fewer than any server could push from
 * one poll to the next; otherwise what counts has restarted.
 */
count_step_t changes_server_counter(int64_t before, int64_t after)
{
    const int64_t range = INT64_C(1) << 32;
    const int64_t few = INT64_C(1) << 26;
    count_step_t step = changes_count(before, after);
    if (step.kind == COUNT_RESTARTED && before < range && after + range - before < few) {
        return (count_step_t){.kind = COUNT_UP, .by = after + range - before};
    }
    return step;
}
