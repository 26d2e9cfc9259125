#include "monitor/snapshot.h"

#include <stdlib.h>

#include "response/memory.h"

snapshot_t *snapshot_new(size_t reply_count)
{
    snapshot_t *self = memory_new(1, sizeof(*self));
    self->replies = memory_new(reply_count, sizeof(*self->replies));
    self->reply_count = reply_count;
    return self;
}

void snapshot_destroy(snapshot_t **self)
{
    snapshot_t *snapshot = *self;
    if (!snapshot) {
        return;
    }
    for (size_t i = 0; i < snapshot->reply_count; i++) {
        reply_t *reply = &snapshot->replies[i];
        free(reply->server);
        free(reply->data);
        free(reply->error);
        response_destroy(&reply->response);
    }
    free(snapshot->replies);
    free(snapshot);
    *self = NULL;
}
