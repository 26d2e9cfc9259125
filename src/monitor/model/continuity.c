#include "monitor/model/continuity.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/memory.h"

static bool differ(const char *before, const char *after)
{
    return before && after && strcmp(before, after) != 0;
}

/*
 * Times identify a process better than the pid does: in a container, every start of a server has
 * the same pid. Agents that don't say when their process began are only loaded as it starts.
 */
bool continuity_is_another_process(const response_t *before, const response_t *after)
{
    const bool pids = before->agent_pid != RESPONSE_UNKNOWN && after->agent_pid != RESPONSE_UNKNOWN;
    if (pids && before->agent_pid != after->agent_pid)
        return true;
    if (before->process_started && after->process_started)
        return differ(before->process_started, after->process_started);
    return differ(before->agent_attached, after->agent_attached) && !response_is_late(after);
}

bool continuity_counts_anew(const response_t *before, const response_t *after)
{
    return continuity_is_another_process(before, after) ||
           differ(before->agent_attached, after->agent_attached);
}

bool continuity_is_new(response_dialect_t dialect, bool was_resubscribed,
                       const response_subscription_t *now)
{
    return dialect != RESPONSE_AGENT && was_resubscribed && !now->last_resubscribed;
}

/* ---- entries ---- */

static char *copy_string(response_t *self, const char *text)
{
    return text ? arena_copy(self->strings, text, strlen(text)) : NULL;
}

/* Without its histograms: durations are only known from answers that have them. */
static void copy_publisher(response_t *self, void *to, const void *from)
{
    response_publisher_t *copy = to;
    *copy = *(const response_publisher_t *)from;
    copy->name = copy_string(self, copy->name);
    copy->last_event = copy_string(self, copy->last_event);
    copy->last_subscription = copy_string(self, copy->last_subscription);
    copy->push_event = NULL;
}

static void copy_subscription(response_t *self, void *to, const void *from)
{
    response_subscription_t *copy = to;
    *copy = *(const response_subscription_t *)from;
    copy->topic = copy_string(self, copy->topic);
    copy->channel_name = copy_string(self, copy->channel_name);
    copy->last_resubscribed = copy_string(self, copy->last_resubscribed);
    copy->last_event = copy_string(self, copy->last_event);
    copy->last_error_event = copy_string(self, copy->last_error_event);
    copy->latency = copy->processing = NULL;
}

static void copy_channel(response_t *self, void *to, const void *from)
{
    response_channel_t *copy = to;
    *copy = *(const response_channel_t *)from;
    copy->name = copy_string(self, copy->name);
    copy->endpoint = copy_string(self, copy->endpoint);
    copy->event_endpoint = copy_string(self, copy->event_endpoint);
    copy->last_heartbeat = copy_string(self, copy->last_heartbeat);
}

static void keep_publisher(void *now, const void *before)
{
    counters_keep(&counters_of_publisher, &((response_publisher_t *)now)->counts,
                  &((const response_publisher_t *)before)->counts);
}

static void keep_subscription(void *now, const void *before)
{
    counters_keep(&counters_of_subscription, &((response_subscription_t *)now)->counts,
                  &((const response_subscription_t *)before)->counts);
}

static void keep_channel(void *now, const void *before)
{
    counters_keep(&counters_of_channel, &((response_channel_t *)now)->counts,
                  &((const response_channel_t *)before)->counts);
}

/* ---- lists ---- */

/* A list: items that begin with their name, sorted by name. */
typedef struct {
    size_t size;
    void (*keep)(void *now, const void *before);
    void (*copy)(response_t *self, void *to, const void *from);
} kind_t;

typedef struct {
    char *items;
    size_t count;
} list_t;

static const char *name_at(const char *item)
{
    return *(char *const *)item;
}

int64_t continuity_left_out(int64_t truncated, size_t count)
{
    const int64_t left =
        count < CONTINUITY_MAXIMUM_KEPT ? CONTINUITY_MAXIMUM_KEPT - (int64_t)count : 0;
    return truncated < left ? truncated : left;
}

/* left_out: the maximum of missing entries. Frees now's items. */
static list_t take_over(response_t *self, const kind_t *kind, list_t now, list_t before,
                        int64_t left_out)
{
    const size_t size = kind->size;
    list_t list = {.items = memory_new(now.count + before.count, size)};
    char *old = before.items;
    char *new = now.items;
    const char *old_end = old + before.count * size;
    const char *new_end = new + now.count *size;
    while (old != old_end || new != new_end) {
        const int order = old == old_end   ? 1
                          : new == new_end ? -1
                                           : strcmp(name_at(old), name_at(new));
        if (order == 0)
            kind->keep(new, old);
        if (order >= 0)
            memcpy(list.items + list.count++ * size, new, size);
        else if (left_out > 0 && left_out-- > 0)
            kind->copy(self, list.items + list.count++ * size, old);
        old += order <= 0 ? size : 0;
        new += order >= 0 ? size : 0;
    }
    free(now.items);
    return list;
}

void continuity_take_over(response_t *self, const response_t *before)
{
    static const kind_t publishers = {sizeof(response_publisher_t), keep_publisher, copy_publisher};
    static const kind_t subscriptions = {sizeof(response_subscription_t), keep_subscription,
                                         copy_subscription};
    static const kind_t channels = {sizeof(response_channel_t), keep_channel, copy_channel};
    const response_truncated_t *truncated = &self->truncated;
    const int64_t streams = truncated->event_streams > truncated->event_counters
                                ? truncated->event_streams
                                : truncated->event_counters;
    const list_t published =
        take_over(self, &publishers, (list_t){(char *)self->publishers, self->publisher_count},
                  (list_t){(char *)before->publishers, before->publisher_count},
                  continuity_left_out(streams, self->publisher_count));
    self->publishers = (response_publisher_t *)(void *)published.items;
    self->publisher_count = published.count;
    const list_t subscribed = take_over(
        self, &subscriptions, (list_t){(char *)self->subscriptions, self->subscription_count},
        (list_t){(char *)before->subscriptions, before->subscription_count},
        continuity_left_out(truncated->event_callbacks, self->subscription_count));
    self->subscriptions = (response_subscription_t *)(void *)subscribed.items;
    self->subscription_count = subscribed.count;
    const list_t connected =
        take_over(self, &channels, (list_t){(char *)self->channels, self->channel_count},
                  (list_t){(char *)before->channels, before->channel_count},
                  continuity_left_out(truncated->event_channels, self->channel_count));
    self->channels = (response_channel_t *)(void *)connected.items;
    self->channel_count = connected.count;
}
