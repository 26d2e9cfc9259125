#include "monitor/view/live/frames/frame_names.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/memory.h"
#include "base/name_set.h"
#include "base/vector.h"
#include "response/names.h"

/* Bytes that are requested at a time: little for few servers. */
enum { CHUNK = 16384, SMALLEST = 64 };

struct frame_names {
    atomic_size_t references;
    arena_t *arena;
    frame_name_t **table; /* by id; NULL: a free place */
    size_t size;          /* places; a power of two */
    size_t count;
    size_t bytes;
    size_t frame; /* the latest: what `used` and `order` are of */
    size_t used;
    vector_t order; /* frame_name_t *, as they were asked for */
    vector_t order_before;
    size_t next; /* in order_before: the name that is likely to come */
};

frame_names_t *frame_names_new(void)
{
    frame_names_t *self = memory_new(1, sizeof *self);
    atomic_init(&self->references, 1);
    self->arena = arena_new(CHUNK);
    self->size = SMALLEST;
    self->table = memory_new(self->size, sizeof(frame_name_t *));
    self->order.item_size = self->order_before.item_size = sizeof(frame_name_t *);
    self->bytes = sizeof *self + self->size * sizeof(frame_name_t *);
    return self;
}

frame_names_t *frame_names_share(frame_names_t *self)
{
    atomic_fetch_add_explicit(&self->references, 1, memory_order_relaxed);
    return self;
}

void frame_names_release(frame_names_t **self)
{
    frame_names_t *names = *self;
    *self = NULL;
    if (!names || atomic_fetch_sub_explicit(&names->references, 1, memory_order_acq_rel) > 1)
        return;
    arena_destroy(&names->arena);
    frame_names_seal(names);
    free(names);
}

/* The place of a text, or the free place for it: there always is one. */
static size_t place_of(const frame_names_t *self, uint64_t id, const char *text)
{
    size_t place = (size_t)(id ^ id >> 32) & (self->size - 1);
    while (self->table[place] &&
           (self->table[place]->id != id || strcmp(self->table[place]->text, text) != 0))
        place = (place + 1) & (self->size - 1);
    return place;
}

static void grow(frame_names_t *self)
{
    frame_name_t **old = self->table;
    const size_t old_size = self->size;
    self->size *= 2;
    self->table = memory_new(self->size, sizeof(frame_name_t *));
    for (size_t i = 0; i < old_size; i++)
        if (old[i])
            self->table[place_of(self, old[i]->id, old[i]->text)] = old[i];
    free(old);
    self->bytes += (self->size - old_size) * sizeof(frame_name_t *);
}

static size_t bytes_of(const frame_name_t *name)
{
    return sizeof *name + strlen(name->text) + 1 + sizeof(frame_name_t *);
}

/* Counts a name as used in a frame. */
static void use(frame_names_t *self, frame_name_t *name, size_t frame)
{
    if (name->used == frame)
        return;
    name->used = frame;
    self->used += bytes_of(name);
}

/* In the table; a new one if it isn't there yet. */
static frame_name_t *look_up(frame_names_t *self, const char *text)
{
    const uint64_t id = name_set_hash(0, text);
    size_t place = place_of(self, id, text);
    if (!self->table[place]) {
        if (2 * self->count >= self->size) {
            grow(self);
            place = place_of(self, id, text);
        }
        const frame_name_t name = {.text = arena_copy(self->arena, text, strlen(text)), .id = id};
        self->table[place] = arena_copy(self->arena, &name, sizeof name);
        self->count++;
        self->bytes += bytes_of(&name);
    }
    return self->table[place];
}

static void begin_frame(frame_names_t *self, size_t frame)
{
    const vector_t before = self->order_before;
    self->frame = frame;
    self->used = self->next = 0;
    self->order_before = self->order;
    self->order = before;
    self->order.count = 0;
}

/* Where it was in the frame before, or in the table. */
static frame_name_t *find(frame_names_t *self, const char *text)
{
    frame_name_t *const *before = self->order_before.items;
    frame_name_t *likely = self->next < self->order_before.count ? before[self->next] : NULL;
    if (!likely || strcmp(likely->text, text) != 0) {
        likely = look_up(self, text);
        /* From here on it goes on as it did there; of this frame, that place isn't known. */
        if (likely->used != self->frame && likely->used != 0)
            self->next = likely->at;
    }
    self->next++;
    return likely;
}

frame_name_t *frame_names_find(frame_names_t *self, const char *text, size_t frame)
{
    if (self->frame != frame)
        begin_frame(self, frame);
    frame_name_t *name = find(self, text);
    name->at = self->order.count;
    *(frame_name_t **)vector_add(&self->order) = name;
    use(self, name, frame);
    return name;
}

frame_name_t *frame_names_stream_of(frame_names_t *self, frame_name_t *topic, size_t frame)
{
    if (!topic->stream) {
        char *stream = names_stream_of_topic(topic->text);
        topic->stream = look_up(self, stream);
        free(stream);
    }
    use(self, topic->stream, frame);
    return topic->stream;
}

size_t frame_names_bytes(const frame_names_t *self)
{
    return self->bytes;
}

size_t frame_names_used(const frame_names_t *self, size_t frame)
{
    return self->frame == frame ? self->used : 0;
}

void frame_names_seal(frame_names_t *self)
{
    self->bytes -= self->table ? self->size * sizeof(frame_name_t *) : 0;
    free(self->table);
    free(self->order.items);
    free(self->order_before.items);
    self->table = NULL;
    self->order = self->order_before = (vector_t){0};
}
