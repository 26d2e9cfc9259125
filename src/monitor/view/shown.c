#include "monitor/view/shown.h"

#include <stdlib.h>

#include "base/memory.h"

static bool has_restarted(const subscription_row_t *row)
{
    return row->restarted || row->publisher_restarted;
}

/* Streams that lost most come first, then those that restarted, all others in their names' order.
 */
static int compare_subscriptions(const void *a, const void *b)
{
    const subscription_row_t *left = *(const subscription_row_t *const *)a;
    const subscription_row_t *right = *(const subscription_row_t *const *)b;
    const int64_t keys[][2] = {{left->new_losses, right->new_losses},
                               {left->earlier_losses, right->earlier_losses}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? 1 : -1;
    if (has_restarted(left) != has_restarted(right))
        return has_restarted(left) ? -1 : 1;
    return left < right ? -1 : left > right;
}

static void take_streams(shown_server_t *self, const filter_t *filter)
{
    const server_part_t *part = self->part;
    self->published = memory_new(part->published_count, sizeof *self->published);
    for (size_t i = 0; i < part->published_count; i++)
        if (filter_takes(filter, part->published[i].name))
            self->published[self->published_count++] = &part->published[i];
    self->subscriptions = memory_new(part->subscription_count, sizeof *self->subscriptions);
    for (size_t i = 0; i < part->subscription_count; i++) {
        const subscription_row_t *row = &part->subscriptions[i];
        if (!filter_takes(filter, row->topic))
            continue;
        self->subscriptions[self->subscription_count++] = row;
        self->new_losses = changes_sum(self->new_losses, row->new_losses);
    }
    if (self->subscription_count > 1)
        qsort(self->subscriptions, self->subscription_count, sizeof *self->subscriptions,
              compare_subscriptions);
}

static void take_not_connected(shown_server_t *self, const filter_t *filter)
{
    const changes_t *changes = self->part->changes;
    self->not_connected = memory_new(changes->not_connected_count, sizeof *self->not_connected);
    for (size_t i = 0; i < changes->not_connected_count; i++) {
        const not_connected_change_t *change = &changes->not_connected[i];
        if (filter_takes_attribute(filter, change->after ? change->after : change->before))
            self->not_connected[self->not_connected_count++] = change;
    }
}

static shown_server_t server_of(const server_part_t *part, const filter_t *filter)
{
    shown_server_t self = {.part = part};
    if (!part->changes)
        return self;
    take_streams(&self, filter);
    take_not_connected(&self, filter);
    self.any = filter->count == 0 ? changes_any(part->changes)
                                  : part->changes->counters_restarted || self.published_count > 0 ||
                                        self.subscription_count > 0 || self.not_connected_count > 0;
    return self;
}

/* What a user at a terminal has to see first. */
static int urgency(const shown_server_t *server)
{
    const server_part_t *part = server->part;
    if (!part->changes)
        return 3;
    if (part->changes->counts_anew || part->failed)
        return 2;
    return server->new_losses > 0 ? 1 : 0;
}

static int compare_servers(const void *a, const void *b)
{
    const shown_server_t *left = a;
    const shown_server_t *right = b;
    if (urgency(left) != urgency(right))
        return urgency(left) < urgency(right) ? 1 : -1;
    return left->part < right->part ? -1 : left->part > right->part;
}

shown_t *shown_new(const comparison_t *comparison, const filter_t *filter)
{
    shown_t *self = memory_new(1, sizeof *self);
    self->servers = memory_new(comparison->part_count, sizeof *self->servers);
    self->count = comparison->part_count;
    self->failed = comparison->failed;
    for (size_t i = 0; i < self->count; i++)
        self->servers[i] = server_of(&comparison->parts[i], filter);
    if (self->count > 1)
        qsort(self->servers, self->count, sizeof *self->servers, compare_servers);
    return self;
}

const totals_t *shown_totals(const shown_t *self, const observation_t *observation,
                             const filter_t *filter, totals_t *own)
{
    if (filter->count == 0)
        return observation->totals;
    totals_begin(own, &observation->snapshot->time);
    for (size_t i = 0; i < self->count; i++) {
        const shown_server_t *server = &self->servers[i];
        totals_add_server(own, server->part);
        for (size_t j = 0; j < server->published_count; j++)
            totals_add_published(own, server->part, server->published[j]);
        for (size_t j = 0; j < server->subscription_count; j++)
            totals_add_subscription(own, server->part, server->subscriptions[j]);
    }
    return own;
}

bool shown_takes(const filter_t *filter, const finding_t *finding)
{
    return !finding->about.stream || filter_takes(filter, finding->about.stream);
}

void shown_destroy(shown_t **self)
{
    if (!*self)
        return;
    for (size_t i = 0; i < (*self)->count; i++) {
        free((*self)->servers[i].published);
        free((*self)->servers[i].subscriptions);
        free((*self)->servers[i].not_connected);
    }
    free((*self)->servers);
    free(*self);
    *self = NULL;
}
