#include "monitor/recording/read_ahead.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

typedef struct {
    source_item_t item;
    bool more; /* false: the source's end */
    read_progress_t progress;
    size_t bytes;
} entry_t;

struct read_ahead {
    read_ahead_source_t source;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    entry_t entries[READ_AHEAD_ITEMS]; /* a ring */
    size_t first;
    size_t count;
    size_t bytes; /* of these, and of what the caller has */
    bool stopped;
    /* The caller's. */
    size_t taken; /* the bytes of what it has */
    bool ended;
    read_progress_t progress;
};

static atomic_size_t threads;
static atomic_size_t pretended_processors;

void read_ahead_set_processors(size_t count)
{
    atomic_store(&pretended_processors, count);
}

static size_t processors(void)
{
    cpu_set_t set;
    const size_t pretended = atomic_load(&pretended_processors);
    if (pretended > 0)
        return pretended;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
}

/* A thread more, if there is a processor for it beside the caller's. */
static bool take_processor(void)
{
    if (atomic_fetch_add(&threads, 1) + 1 < processors())
        return true;
    atomic_fetch_sub(&threads, 1);
    return false;
}

static size_t size_of(const source_item_t *item)
{
    size_t size = item->remark_size;
    for (size_t i = 0; item->snapshot && i < item->snapshot->reply_count; i++)
        size += sizeof(reply_t) + item->snapshot->replies[i].data_size;
    return size;
}

static bool is_full(const read_ahead_t *self)
{
    return self->count == READ_AHEAD_ITEMS || self->bytes >= READ_AHEAD_BYTES;
}

/* Waits until another item may be begun; false: never. */
static bool wait_for_room(read_ahead_t *self)
{
    pthread_mutex_lock(&self->lock);
    while (!self->stopped && is_full(self))
        pthread_cond_wait(&self->changed, &self->lock);
    const bool stopped = self->stopped;
    pthread_mutex_unlock(&self->lock);
    return !stopped;
}

static void put(read_ahead_t *self, const entry_t *entry)
{
    pthread_mutex_lock(&self->lock);
    self->entries[(self->first + self->count) % READ_AHEAD_ITEMS] = *entry;
    self->count++;
    self->bytes += entry->bytes;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

static void *run(void *context)
{
    read_ahead_t *self = context;
    const read_ahead_source_t *source = &self->source;
    entry_t entry = {.more = true};
    while (entry.more && wait_for_room(self)) {
        entry.more = source->next(source->context, &entry.item);
        entry.progress = source->progress(source->context);
        entry.bytes = size_of(&entry.item);
        put(self, &entry);
    }
    atomic_fetch_sub(&threads, 1);
    return NULL;
}

/* Signals are for the caller's thread. */
static bool start(read_ahead_t *self)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    const bool started = pthread_create(&self->thread, NULL, run, self) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static void free_all(read_ahead_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        source_item_clear(&self->entries[(self->first + i) % READ_AHEAD_ITEMS].item);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

read_ahead_t *read_ahead_new(const read_ahead_source_t *source)
{
    if (!take_processor())
        return NULL;
    read_ahead_t *self = memory_new(1, sizeof *self);
    self->source = *source;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
    if (start(self))
        return self;
    atomic_fetch_sub(&threads, 1);
    free_all(self);
    return NULL;
}

void read_ahead_destroy(read_ahead_t **self)
{
    read_ahead_t *ahead = *self;
    if (!ahead)
        return;
    pthread_mutex_lock(&ahead->lock);
    ahead->stopped = true;
    pthread_cond_broadcast(&ahead->changed);
    pthread_mutex_unlock(&ahead->lock);
    pthread_join(ahead->thread, NULL);
    free_all(ahead);
    *self = NULL;
}

bool read_ahead_next(read_ahead_t *self, source_item_t *item)
{
    *item = (source_item_t){0};
    if (self->ended)
        return false;
    pthread_mutex_lock(&self->lock);
    self->bytes -= self->taken;
    pthread_cond_broadcast(&self->changed);
    while (self->count == 0)
        pthread_cond_wait(&self->changed, &self->lock);
    const entry_t entry = self->entries[self->first];
    self->first = (self->first + 1) % READ_AHEAD_ITEMS;
    self->count--;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
    *item = entry.item;
    self->taken = entry.bytes;
    self->progress = entry.progress;
    self->ended = !entry.more;
    return entry.more;
}

read_progress_t read_ahead_progress(const read_ahead_t *self)
{
    return self->progress;
}
