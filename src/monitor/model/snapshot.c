#include "monitor/model/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

snapshot_t *snapshot_new(size_t reply_count)
{
    snapshot_t *self = memory_new(1, sizeof *self);
    self->replies = memory_new(reply_count, sizeof *self->replies);
    self->reply_count = reply_count;
    return self;
}

const reply_t *snapshot_find(const snapshot_t *self, const char *server, size_t place)
{
    for (size_t i = 0; server && i < self->reply_count; i++) {
        const reply_t *reply = &self->replies[(place + i) % self->reply_count];
        if (reply->server && strcmp(reply->server, server) == 0)
            return reply;
        if (self->names.count > 0) {
            const size_t found = name_index_find(&self->names, server);
            return found != NAME_INDEX_NONE ? &self->replies[found] : NULL;
        }
    }
    return NULL;
}

reply_t *snapshot_add(snapshot_t *self, const char *server)
{
    self->replies = memory_resize(self->replies, self->reply_count + 1, sizeof *self->replies);
    reply_t *reply = &self->replies[self->reply_count];
    *reply = (reply_t){.server = memory_string(server)};
    if (server)
        name_index_add(&self->names, reply->server, self->reply_count);
    self->reply_count++;
    return reply;
}

bool snapshot_has_answer(const snapshot_t *self)
{
    for (size_t i = 0; i < self->reply_count; i++)
        if (self->replies[i].data || self->replies[i].response)
            return true;
    return false;
}

static void clear_reply(reply_t *reply)
{
    free(reply->server);
    free(reply->data);
    free(reply->error);
    response_destroy(&reply->response);
}

void snapshot_remove(snapshot_t *self, size_t place)
{
    clear_reply(&self->replies[place]);
    self->reply_count--;
    for (size_t i = place; i < self->reply_count; i++)
        self->replies[i] = self->replies[i + 1];
}

void snapshot_destroy(snapshot_t **self)
{
    snapshot_t *snapshot = *self;
    if (!snapshot)
        return;
    for (size_t i = 0; i < snapshot->reply_count; i++)
        clear_reply(&snapshot->replies[i]);
    free(snapshot->replies);
    name_index_clear(&snapshot->names);
    checks_clear(&snapshot->checks);
    free(snapshot);
    *self = NULL;
}
