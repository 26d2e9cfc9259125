#include "monitor/recording/merge_snapshots.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/name_set.h"
#include "base/timespec.h"

static name_set_t servers_of(const snapshot_t *snapshot)
{
    name_set_t servers = {0};
    for (size_t i = 0; i < snapshot->reply_count; i++)
        if (snapshot->replies[i].server)
            name_set_add(&servers, name_set_hash(0, snapshot->replies[i].server));
    return servers;
}

static bool has(const name_set_t *servers, const reply_t *reply)
{
    return !reply->server || name_set_has(servers, name_set_hash(0, reply->server));
}

bool merge_snapshots_adds(const snapshot_t *self, const snapshot_t *other)
{
    name_set_t servers = servers_of(self);
    bool any = false;
    for (size_t i = 0; i < other->reply_count; i++)
        any |= !has(&servers, &other->replies[i]);
    free(servers.hashes);
    return any;
}

static bool is_set(const struct timespec *time)
{
    return time->tv_sec != 0 || time->tv_nsec != 0;
}

/* Exchanges two replies if the later one is the better one. */
static void replace(reply_t *reply, reply_t *later)
{
    if (!later->response && reply->response)
        return;
    const reply_t old = *reply;
    *reply = *later;
    *later = old;
}

static void add_checks(checks_t *self, const checks_t *other)
{
    for (size_t i = 0; i < other->count; i++)
        checks_add(self, &other->list[i]);
    if (other->count > 0)
        checks_sort(self);
}

void merge_snapshots_add(snapshot_t *self, snapshot_t **other)
{
    snapshot_t *later = *other;
    name_set_t servers = servers_of(self);
    const size_t count = self->reply_count;
    self->replies = memory_resize(self->replies, count + later->reply_count, sizeof(reply_t));
    const snapshot_t before = {.replies = self->replies, .reply_count = count};
    size_t left = 0; /* of the later one's replies: what is thrown away with it */
    for (size_t i = 0; i < later->reply_count; i++) {
        reply_t reply = later->replies[i];
        if (!is_set(&reply.time) && timespec_seconds_between(&self->time, &later->time) != 0)
            reply.time = later->time;
        const reply_t *same =
            has(&servers, &reply) ? snapshot_find(&before, reply.server, i) : NULL;
        if (!same) {
            self->replies[self->reply_count++] = reply;
            continue;
        }
        replace(&self->replies[same - before.replies], &reply);
        later->replies[left++] = reply;
    }
    later->reply_count = left;
    free(servers.hashes);
    add_checks(&self->checks, &later->checks);
    snapshot_destroy(other);
}
