#include "response/response.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/timespec.h"

const char *response_dialect_name(response_dialect_t dialect)
{
    static const char *const names[] = {[RESPONSE_LEGACY] = "patched server",
                                        [RESPONSE_VERSION_1] = "built-in command",
                                        [RESPONSE_AGENT] = "agent"};
    return names[dialect];
}

bool response_pushed_count_is_next(const response_t *self)
{
    return self->dialect != RESPONSE_AGENT;
}

bool response_is_late(const response_t *self)
{
    return self->agent_loaded && strcmp(self->agent_loaded, "late") == 0;
}

bool response_is_older_subscription(const response_t *self,
                                    const response_subscription_t *subscription)
{
    return response_is_late(self) && subscription->counts.callback_count == RESPONSE_UNKNOWN;
}

const char *response_process_began(const response_t *self)
{
    if (self->process_started)
        return self->process_started;
    return response_is_late(self) ? NULL : self->agent_attached;
}

int64_t response_pushed_count(const response_t *self, const response_publisher_t *publisher)
{
    const int64_t count = publisher->counts.pushed_event_count;
    return count > 0 && response_pushed_count_is_next(self) ? count - 1 : count;
}

double response_seconds_without_heartbeat(const response_t *self, const response_channel_t *channel)
{
    struct timespec last;
    struct timespec now;
    if (!channel->last_heartbeat || !self->agent_time ||
        !timespec_parse(channel->last_heartbeat, &last) || !timespec_parse(self->agent_time, &now))
        return NAN;
    return timespec_seconds_between(&last, &now);
}

bool response_is_held_up(const response_t *self, double seconds)
{
    const response_consumer_t *consumer = &self->consumer;
    const bool polls = !consumer->state || strcmp(consumer->state, "polling") == 0;
    return (!polls && consumer->state_micros > seconds * 1e6) ||
           consumer->delayed_micros > seconds * 1e6;
}

static int compare_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "");
}

int response_compare_not_connected(const void *a, const void *b)
{
    const response_not_connected_t *left = a;
    const response_not_connected_t *right = b;
    int order = compare_text(left->device, right->device);
    if (order == 0)
        order = compare_text(left->attribute, right->attribute);
    return order != 0 ? order : compare_text(left->event_type, right->event_type);
}

static int compare_channel(const void *name, const void *channel)
{
    return strcmp(name, ((const response_channel_t *)channel)->name);
}

const response_channel_t *response_channel(const response_t *self, const char *name)
{
    if (!name || self->channel_count == 0)
        return NULL;
    return bsearch(name, self->channels, self->channel_count, sizeof *self->channels,
                   compare_channel);
}
