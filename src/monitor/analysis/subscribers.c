#include "monitor/analysis/subscribers.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/name_set.h"
#include "base/vector.h"
#include "response/names.h"

/* Subscriptions by the hash of something, which is made when it is first asked for. */
typedef struct {
    bool is_there;
    vector_t hashes;      /* uint64_t, sorted */
    vector_t subscribers; /* subscriber_t; in the same order, then in the snapshot's */
} index_t;

struct subscribers {
    const snapshot_t *snapshot;
    index_t by_stream;
    index_t by_channel;
};

subscribers_t *subscribers_new(const snapshot_t *snapshot)
{
    subscribers_t *self = memory_new(1, sizeof *self);
    self->snapshot = snapshot;
    return self;
}

static void index_clear(index_t *self)
{
    free(self->hashes.items);
    free(self->subscribers.items);
}

void subscribers_destroy(subscribers_t **self)
{
    if (!*self)
        return;
    index_clear(&(*self)->by_stream);
    index_clear(&(*self)->by_channel);
    free(*self);
    *self = NULL;
}

/* What an index is sorted by; 0: it isn't in it. */
typedef uint64_t hash_of_t(size_t server, const response_subscription_t *subscription);

static uint64_t hash_of_stream(size_t server, const response_subscription_t *subscription)
{
    (void)server;
    char *stream = names_stream_of_topic(subscription->topic);
    const uint64_t hash = name_set_hash(0, stream);
    free(stream);
    return hash;
}

static uint64_t hash_of_channel(size_t server, const response_subscription_t *subscription)
{
    return subscription->channel_name ? name_set_hash(server, subscription->channel_name) : 0;
}

typedef struct {
    uint64_t hash;
    subscriber_t subscriber;
} entry_t;

static int compare_entries(const void *a, const void *b)
{
    const entry_t *left = a;
    const entry_t *right = b;
    if (left->hash != right->hash)
        return left->hash < right->hash ? -1 : 1;
    if (left->subscriber.server != right->subscriber.server)
        return left->subscriber.server < right->subscriber.server ? -1 : 1;
    /* of one list */
    return left->subscriber.subscription < right->subscriber.subscription ? -1 : 1;
}

static void index_make(index_t *self, const snapshot_t *snapshot, hash_of_t *hash_of)
{
    vector_t entries = {.item_size = sizeof(entry_t)};
    for (size_t i = 0; i < snapshot->reply_count; i++) {
        const reply_t *reply = &snapshot->replies[i];
        if (!reply->response || reply->error)
            continue;
        for (size_t j = 0; j < reply->response->subscription_count; j++) {
            const response_subscription_t *one = &reply->response->subscriptions[j];
            const uint64_t hash = hash_of(i, one);
            if (hash != 0)
                *(entry_t *)vector_add(&entries) =
                    (entry_t){.hash = hash, .subscriber = {.server = i, .subscription = one}};
        }
    }
    if (entries.count > 1)
        qsort(entries.items, entries.count, sizeof(entry_t), compare_entries);
    self->is_there = true;
    self->hashes.item_size = sizeof(uint64_t);
    self->subscribers.item_size = sizeof(subscriber_t);
    for (size_t i = 0; i < entries.count; i++) {
        const entry_t *entry = (const entry_t *)entries.items + i;
        *(uint64_t *)vector_add(&self->hashes) = entry->hash;
        *(subscriber_t *)vector_add(&self->subscribers) = entry->subscriber;
    }
    free(entries.items);
}

/* Those with that hash: two names of the same hash of 64 bits aren't told apart. */
static const subscriber_t *index_find(const index_t *self, uint64_t hash, size_t *count)
{
    const uint64_t *hashes = self->hashes.items;
    size_t low = 0;
    for (size_t high = self->hashes.count; low < high;) {
        const size_t middle = low + (high - low) / 2;
        if (hashes[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    size_t end = low;
    while (end < self->hashes.count && hashes[end] == hash)
        end++;
    *count = end - low;
    return *count > 0 ? (const subscriber_t *)self->subscribers.items + low : NULL;
}

const subscriber_t *subscribers_find(subscribers_t *self, const char *stream, size_t *count)
{
    if (!self->by_stream.is_there)
        index_make(&self->by_stream, self->snapshot, hash_of_stream);
    return index_find(&self->by_stream, name_set_hash(0, stream), count);
}

const subscriber_t *subscribers_of_channel(subscribers_t *self, size_t server, const char *channel,
                                           size_t *count)
{
    if (!self->by_channel.is_there)
        index_make(&self->by_channel, self->snapshot, hash_of_channel);
    return index_find(&self->by_channel, name_set_hash(server, channel), count);
}
