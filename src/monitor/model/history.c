#include "monitor/model/history.h"

#include <stdlib.h>

#include "base/memory.h"
#include "monitor/model/continuity.h"

struct history {
    snapshot_t *previous;
};

history_t *history_new(void)
{
    return memory_new(1, sizeof(history_t));
}

void history_destroy(history_t **self)
{
    if (!*self)
        return;
    snapshot_destroy(&(*self)->previous);
    free(*self);
    *self = NULL;
}

const snapshot_t *history_previous(const history_t *self)
{
    return self->previous;
}

/* The index of a server's last answer; a new one if there is none yet. */
static reply_t *place_of(snapshot_t *previous, const char *server, size_t place)
{
    const reply_t *found = snapshot_find(previous, server, place);
    return found ? &previous->replies[found - previous->replies] : snapshot_add(previous, server);
}

void history_remember(history_t *self, snapshot_t **snapshot)
{
    snapshot_t *new = *snapshot;
    *snapshot = NULL;
    if (!self->previous)
        self->previous = snapshot_new(0);
    self->previous->time = new->time;
    for (size_t i = 0; i < new->reply_count; i++) {
        reply_t *reply = &new->replies[i];
        reply_t *place = place_of(self->previous, reply->server, i);
        if (!reply->response) {
            /* Of one that failed, why; and its last answer. */
            free(place->error);
            place->error = reply->error;
            reply->error = NULL;
            continue;
        }
        if (place->response && place->response->dialect == reply->response->dialect &&
            !continuity_counts_anew(place->response, reply->response))
            continuity_take_over(reply->response, place->response);
        const reply_t old = *place;
        char *name = reply->server;
        *place = *reply;
        place->server = old.server; /* which the snapshot finds it by */
        if (place->time.tv_sec == 0)
            place->time = new->time; /* it may outlive that snapshot */
        *reply = old;
        reply->server = name;
        /* Nobody needs these again, and with hundreds of servers they are large. */
        response_drop_samples(place->response);
        free(place->data);
        place->data = NULL;
        place->data_size = 0;
    }
    snapshot_destroy(&new);
}
