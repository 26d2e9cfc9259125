#include "monitor/analysis/losses.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/name_index.h"
#include "base/timespec.h"
#include "monitor/analysis/loss_entry.h"
#include "monitor/analysis/published.h"
#include "monitor/model/continuity.h"
#include "response/names.h"

struct server_losses {
    char *server;
    loss_entry_t *entries; /* by topic */
    size_t count;
};

struct losses {
    server_losses_t *servers;
    size_t count;
    name_index_t names;
    published_t *published; /* as of the last update */
};

losses_t *losses_new(void)
{
    return memory_new(1, sizeof(losses_t));
}

void losses_destroy(losses_t **self)
{
    if (!*self)
        return;
    for (size_t i = 0; i < (*self)->count; i++) {
        server_losses_t *server = &(*self)->servers[i];
        for (size_t j = 0; j < server->count; j++)
            loss_entry_clear(&server->entries[j]);
        free(server->entries);
        free(server->server);
    }
    free((*self)->servers);
    name_index_clear(&(*self)->names);
    published_destroy(&(*self)->published);
    free(*self);
    *self = NULL;
}

typedef struct {
    const response_t *before; /* NULL: this is the first answer */
    const response_t *now;
    const published_t *published;
    const struct timespec *time;
    double answered; /* now, as in reply_t */
} interval_t;

/*
 * Events that a publisher pushed between its own answer and the creation of a subscription in a
 * later answer were never meant for that subscription. As a rule, that is milliseconds. A server
 * that makes many subscriptions answers late.
 */
#define EARLIER_SECONDS 0.1

/* Likewise events that a subscription received before its late agent was there. */
#define JUST_ATTACHED_SECONDS 2.0

static bool was_just_attached(const response_t *response)
{
    struct timespec attached;
    struct timespec now;
    return response_is_late(response) &&
           !(response->agent_attached && response->agent_time &&
             timespec_parse(response->agent_attached, &attached) &&
             timespec_parse(response->agent_time, &now) &&
             timespec_seconds_between(&attached, &now) > JUST_ATTACHED_SECONDS);
}

static bool pushed_since(const interval_t *interval, const published_stream_t *publisher)
{
    return (publisher->answered > 0 &&
            interval->answered - publisher->answered > EARLIER_SECONDS) ||
           was_just_attached(interval->now);
}

static loss_sight_t sight_of(const interval_t *interval,
                             const response_subscription_t *subscription, const char *stream)
{
    const response_t *response = interval->now;
    const published_stream_t *publisher = published_find(interval->published, stream);
    const response_channel_t *channel = response_channel(response, subscription->channel_name);
    return (loss_sight_t){.subscription = subscription,
                          .is_agent = response->dialect == RESPONSE_AGENT,
                          .endpoint = channel ? channel->endpoint : NULL,
                          .pushed = publisher ? publisher->count : RESPONSE_UNKNOWN,
                          .pushed_at = publisher ? publisher->answered : 0,
                          .process = publisher ? publisher->process : 0,
                          .pushed_since = publisher && pushed_since(interval, publisher),
                          .time = *interval->time};
}

static server_losses_t *server_of(losses_t *self, const char *name, size_t place)
{
    const server_losses_t *found = losses_of_server(self, name, place);
    if (found)
        return &self->servers[found - self->servers];
    self->servers = memory_resize(self->servers, self->count + 1, sizeof *self->servers);
    server_losses_t *added = &self->servers[self->count];
    *added = (server_losses_t){.server = memory_string(name)};
    name_index_add(&self->names, added->server, self->count++);
    return added;
}

static loss_beginning_t beginning_of(const interval_t *self, bool was_there)
{
    if (!self->before)
        return BEGAN_BEFORE;
    if (continuity_counts_anew(self->before, self->now))
        return BEGAN_SINCE;
    if (self->before->dialect != self->now->dialect)
        return BEGAN_SOMETIME;
    return was_there || self->before->truncated.event_callbacks <= 0 ? BEGAN_SINCE : BEGAN_SOMETIME;
}

/* Whether the counts of two answers belong together. */
static bool goes_on(const interval_t *self)
{
    return self->before && self->before->dialect == self->now->dialect &&
           !continuity_counts_anew(self->before, self->now);
}

/* The topic's new state: what was known of it, if anything, is taken over from old. */
static loss_entry_t next_entry(const interval_t *interval,
                               const response_subscription_t *subscription, loss_entry_t *old)
{
    loss_entry_t entry = {0};
    if (old) {
        entry = *old;
        *old = (loss_entry_t){0};
    } else {
        entry.topic = memory_string(subscription->topic);
        entry.stream = names_stream_of_topic(subscription->topic);
    }
    const loss_sight_t sight = sight_of(interval, subscription, entry.stream);
    if (old && goes_on(interval) &&
        !continuity_is_new(interval->now->dialect, entry.resubscribed != 0, subscription) &&
        !counters_fell(&counters_of_subscription, &entry.last, &subscription->counts))
        loss_entry_go_on(&entry, &sight);
    else
        loss_entry_begin(&entry, &sight, beginning_of(interval, old != NULL));
    return entry;
}

/* An entry that the answer doesn't have is kept if the answer may have omitted it. */
static void keep_or_clear(loss_entry_t *old, loss_entry_t *entries, size_t *count,
                          int64_t *left_out)
{
    if (*left_out > 0) {
        (*left_out)--;
        entries[(*count)++] = *old;
    } else {
        loss_entry_clear(old);
    }
}

static void update_server(server_losses_t *self, const interval_t *interval)
{
    const response_t *now = interval->now;
    int64_t left_out = goes_on(interval) ? continuity_left_out(now->truncated.event_callbacks,
                                                               now->subscription_count)
                                         : 0;
    loss_entry_t *entries = memory_new(self->count + now->subscription_count, sizeof *entries);
    size_t count = 0;
    size_t i = 0;
    for (size_t j = 0; j < now->subscription_count; j++) {
        const response_subscription_t *subscription = &now->subscriptions[j];
        while (i < self->count && strcmp(self->entries[i].topic, subscription->topic) < 0)
            keep_or_clear(&self->entries[i++], entries, &count, &left_out);
        const bool is_old =
            i < self->count && strcmp(self->entries[i].topic, subscription->topic) == 0;
        entries[count++] = next_entry(interval, subscription, is_old ? &self->entries[i++] : NULL);
    }
    while (i < self->count)
        keep_or_clear(&self->entries[i++], entries, &count, &left_out);
    free(self->entries);
    self->entries = entries;
    self->count = count;
}

void losses_update(losses_t *self, const snapshot_t *previous, const snapshot_t *current)
{
    published_destroy(&self->published);
    self->published = published_new(previous, current);
    for (size_t i = 0; i < current->reply_count; i++) {
        const reply_t *reply = &current->replies[i];
        if (!reply->response || reply->error || !reply->server)
            continue;
        const reply_t *before = previous ? snapshot_find(previous, reply->server, i) : NULL;
        update_server(server_of(self, reply->server, i),
                      &(interval_t){.before = before ? before->response : NULL,
                                    .now = reply->response,
                                    .published = self->published,
                                    .answered = reply->answered,
                                    .time = &current->time});
    }
}

const published_t *losses_published(const losses_t *self)
{
    return self->published;
}

static int compare_topics(const void *key, const void *entry)
{
    return strcmp(key, ((const loss_entry_t *)entry)->topic);
}

const server_losses_t *losses_of_server(const losses_t *self, const char *server, size_t place)
{
    if (!server || self->count == 0)
        return NULL;
    /* As a rule, they come in the same order each time. */
    if (place < self->count && strcmp(self->servers[place].server, server) == 0)
        return &self->servers[place];
    const size_t found = name_index_find(&self->names, server);
    return found != NAME_INDEX_NONE ? &self->servers[found] : NULL;
}

const loss_t *losses_find(const server_losses_t *self, const char *topic)
{
    if (!self || self->count == 0)
        return NULL;
    const loss_entry_t *entry =
        bsearch(topic, self->entries, self->count, sizeof *entry, compare_topics);
    return entry ? &entry->loss : NULL;
}
