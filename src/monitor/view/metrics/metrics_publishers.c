#include "monitor/view/metrics/metrics_publishers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "response/names.h"

typedef struct {
    uint64_t hash; /* but for the host */
    const char *name;
} server_t;

struct metrics_publishers {
    server_t *servers; /* by hash */
    size_t count;
    const char *channel; /* that was looked for last: as a rule, the next one is the same */
    const char *found;
};

static int compare(const void *a, const void *b)
{
    const server_t *left = a;
    const server_t *right = b;
    return left->hash < right->hash ? -1 : left->hash > right->hash;
}

metrics_publishers_t *metrics_publishers_new(const snapshot_t *snapshot)
{
    metrics_publishers_t *self = memory_new(1, sizeof *self);
    self->servers = memory_new(snapshot->reply_count, sizeof *self->servers);
    for (size_t i = 0; i < snapshot->reply_count; i++) {
        const char *name = snapshot->replies[i].server;
        if (name)
            self->servers[self->count++] = (server_t){names_hash_but_host(name), name};
    }
    if (self->count > 1)
        qsort(self->servers, self->count, sizeof *self->servers, compare);
    return self;
}

void metrics_publishers_destroy(metrics_publishers_t **self)
{
    if (!*self)
        return;
    free((*self)->servers);
    free(*self);
    *self = NULL;
}

/* A server that was named without a host may be meant; one of another database isn't. */
static bool may_be(const char *server, const char *channel)
{
    const bool both = names_prefix_length(server) > 0 && names_prefix_length(channel) > 0;
    return names_are_same_but_host(server, channel) &&
           (!both || names_have_same_port(server, channel));
}

static size_t first_with(const metrics_publishers_t *self, uint64_t hash)
{
    size_t from = 0;
    size_t to = self->count;
    while (from < to) {
        const size_t middle = from + (to - from) / 2;
        if (self->servers[middle].hash < hash)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static const char *find(const metrics_publishers_t *self, const char *channel)
{
    const uint64_t hash = names_hash_but_host(channel);
    const char *found = NULL;
    size_t count = 0;
    for (size_t i = first_with(self, hash); i < self->count && self->servers[i].hash == hash; i++) {
        const char *server = self->servers[i].name;
        if (strcasecmp(server, channel) == 0)
            return server;
        if (!may_be(server, channel))
            continue;
        found = server;
        count++;
    }
    return count == 1 ? found : channel;
}

const char *metrics_publishers_name(metrics_publishers_t *self, const char *channel)
{
    if (!channel || !*channel)
        return NULL;
    if (!self->channel || strcmp(self->channel, channel) != 0) {
        self->found = find(self, channel);
        self->channel = channel;
    }
    return self->found == self->channel ? channel : self->found;
}
