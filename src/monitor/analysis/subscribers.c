#include "monitor/analysis/subscribers.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/vector.h"
#include "response/names.h"

typedef struct {
    uint64_t hash; /* of the topic without the host */
    subscriber_t subscriber;
} entry_t;

struct subscribers {
    const snapshot_t *snapshot;
    bool has_entries;
    vector_t entries; /* entry_t, by hash, then in the snapshot's order */
    vector_t found;   /* subscriber_t */
};

subscribers_t *subscribers_new(const snapshot_t *snapshot)
{
    subscribers_t *self = memory_new(1, sizeof *self);
    self->snapshot = snapshot;
    self->entries.item_size = sizeof(entry_t);
    self->found.item_size = sizeof(subscriber_t);
    return self;
}

void subscribers_destroy(subscribers_t **self)
{
    if (!*self)
        return;
    free((*self)->entries.items);
    free((*self)->found.items);
    free(*self);
    *self = NULL;
}

static int compare_entries(const void *a, const void *b)
{
    const entry_t *left = a;
    const entry_t *right = b;
    if (left->hash != right->hash)
        return left->hash < right->hash ? -1 : 1;
    if (left->subscriber.server != right->subscriber.server)
        return left->subscriber.server < right->subscriber.server ? -1 : 1;
    return strcmp(left->subscriber.subscription->topic, right->subscriber.subscription->topic);
}

static void make_entries(subscribers_t *self)
{
    self->has_entries = true;
    for (size_t i = 0; i < self->snapshot->reply_count; i++) {
        const reply_t *reply = &self->snapshot->replies[i];
        if (!reply->response || reply->error)
            continue;
        for (size_t j = 0; j < reply->response->subscription_count; j++) {
            const response_subscription_t *subscription = &reply->response->subscriptions[j];
            *(entry_t *)vector_add(&self->entries) =
                (entry_t){.hash = names_hash_but_host(subscription->topic),
                          .subscriber = {.server = i, .subscription = subscription}};
        }
    }
    if (self->entries.count > 1)
        qsort(self->entries.items, self->entries.count, sizeof(entry_t), compare_entries);
}

/* The first one that is not before that hash. */
static size_t first_of(const subscribers_t *self, uint64_t hash)
{
    const entry_t *entries = self->entries.items;
    size_t low = 0;
    for (size_t high = self->entries.count; low < high;) {
        const size_t middle = low + (high - low) / 2;
        if (entries[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_to(const char *topic, const char *stream, bool respelled)
{
    if (respelled)
        return names_are_same_but_host(topic, stream);
    char *name = names_stream_of_topic(topic);
    const bool is_same = strcmp(name, stream) == 0;
    free(name);
    return is_same;
}

const subscriber_t *subscribers_find(subscribers_t *self, const char *stream, bool respelled,
                                     size_t *count)
{
    if (!self->has_entries)
        make_entries(self);
    const entry_t *entries = self->entries.items;
    const uint64_t hash = names_hash_but_host(stream);
    self->found.count = 0;
    for (size_t i = first_of(self, hash); i < self->entries.count && entries[i].hash == hash; i++)
        if (is_to(entries[i].subscriber.subscription->topic, stream, respelled))
            *(subscriber_t *)vector_add(&self->found) = entries[i].subscriber;
    *count = self->found.count;
    return *count > 0 ? self->found.items : NULL;
}
