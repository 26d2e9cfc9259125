#include "monitor/recording/merge_order.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/name_set.h"
#include "base/timespec.h"

/* Of so many servers it is known. */
enum { MAXIMUM = 1 << 16, SIZE_AT_FIRST = 64 };

/* That of the server, or a free one for it. */
static merge_order_place_t *place_of(const merge_order_t *self, uint64_t hash)
{
    size_t at = (size_t)hash & (self->size - 1);
    while (self->places[at].hash != 0 && self->places[at].hash != hash)
        at = (at + 1) & (self->size - 1);
    return &self->places[at];
}

/* At most half of the places are taken. */
static void make_room(merge_order_t *self)
{
    if (self->count < self->size / 2)
        return;
    merge_order_t larger = {.size = self->size > 0 ? 2 * self->size : SIZE_AT_FIRST,
                            .count = self->count};
    larger.places = memory_new(larger.size, sizeof *larger.places);
    for (size_t i = 0; i < self->size; i++)
        if (self->places[i].hash != 0)
            *place_of(&larger, self->places[i].hash) = self->places[i];
    free(self->places);
    *self = larger;
}

/* Whether it comes too late; otherwise it is the newest one. */
static bool is_late(merge_order_t *self, const reply_t *reply, size_t file)
{
    struct timespec time;
    if (!reply->response || !reply->server || !reply->response->agent_time ||
        !timespec_parse(reply->response->agent_time, &time))
        return false;
    make_room(self);
    const uint64_t hash = name_set_hash(0, reply->server);
    merge_order_place_t *place = place_of(self, hash);
    if (place->hash == 0 && self->count == MAXIMUM)
        return false;
    if (place->hash != 0 && place->file != file &&
        timespec_seconds_between(&place->time, &time) < 0)
        return true;
    self->count += place->hash == 0;
    *place = (merge_order_place_t){.hash = hash, .file = file, .time = time};
    return false;
}

void merge_order_keep(merge_order_t *self, snapshot_t *snapshot, size_t file)
{
    size_t kept = 0;
    for (size_t i = 0; i < snapshot->reply_count; i++) {
        const reply_t reply = snapshot->replies[i];
        if (is_late(self, &reply, file))
            continue;
        /* Those that are late go to the end. */
        snapshot->replies[i] = snapshot->replies[kept];
        snapshot->replies[kept++] = reply;
    }
    snapshot->is_part |= kept < snapshot->reply_count;
    while (snapshot->reply_count > kept)
        snapshot_remove(snapshot, snapshot->reply_count - 1);
}
