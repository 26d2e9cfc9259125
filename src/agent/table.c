#include "agent/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t word_at(const char *name)
{
    uint64_t word;
    memcpy(&word, name, 8);
    return word;
}

static uint64_t fold(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

/*
 * Eight bytes at a time, multiplied and folded: topics are some sixty bytes and share long
 * beginnings; a byte-wise hash would cost more than the rest of the look-up. Two lanes, since one
 * multiplication waits for the other; the last words overlap what was read before.
 */
static uint64_t hash_name(const char *name, size_t length)
{
    uint64_t left = length;
    uint64_t right = ~(uint64_t)length;
    const char *p = name;
    size_t rest = length;
    for (; rest > 16; rest -= 16, p += 16) {
        left = fold(left, word_at(p));
        right = fold(right, word_at(p + 8));
    }
    if (length >= 16) {
        left = fold(left, word_at(name + length - 16));
        right = fold(right, word_at(name + length - 8));
    } else {
        uint64_t words[2] = {0};
        memcpy(words, name, length);
        left = fold(left, words[0]);
        right = fold(right, words[1]);
    }
    uint64_t hash = fold(left, right);
    return hash ^ hash >> 32;
}

void table_init(table_t *self, size_t entry_size, size_t limit)
{
    memset(self, 0, sizeof *self);
    self->entry_size = entry_size;
    self->limit = limit;
}

void table_clear(table_t *self)
{
    table_entry_t *entry = atomic_load(&self->newest);
    while (entry) {
        table_entry_t *older = entry->older;
        free(entry);
        entry = older;
    }
    table_init(self, self->entry_size, self->limit);
}

static table_entry_t *find_from(table_entry_t *entry, uint64_t hash, const char *name,
                                size_t length)
{
    for (; entry; entry = entry->next) {
        if (entry->hash == hash && entry->name_length == length &&
            memcmp(entry->name, name, length) == 0)
            return entry;
    }
    return NULL;
}

table_entry_t *table_find(table_t *self, const char *name, size_t length)
{
    uint64_t hash = hash_name(name, length);
    return find_from(
        atomic_load_explicit(&self->buckets[hash % TABLE_BUCKETS], memory_order_acquire), hash,
        name, length);
}

table_entry_t *table_get(table_t *self, const char *name, size_t length)
{
    uint64_t hash = hash_name(name, length);
    _Atomic(table_entry_t *) *bucket = &self->buckets[hash % TABLE_BUCKETS];
    table_entry_t *head = atomic_load_explicit(bucket, memory_order_acquire);
    table_entry_t *found = find_from(head, hash, name, length);
    if (found)
        return found;

    /* A place is taken before it is used, so that racing threads can't exceed the limit. */
    if (atomic_fetch_add(&self->count, 1) >= self->limit) {
        atomic_fetch_sub(&self->count, 1);
        atomic_fetch_add_explicit(&self->refused, 1, memory_order_relaxed);
        return NULL;
    }
    int saved_errno = errno;
    table_entry_t *entry = calloc(1, self->entry_size + length + 1);
    errno = saved_errno;
    if (!entry) {
        atomic_fetch_sub(&self->count, 1);
        return NULL;
    }
    char *copy = (char *)entry + self->entry_size;
    memcpy(copy, name, length);
    entry->name = copy;
    entry->name_length = length;
    entry->hash = hash;

    do {
        /* head may have grown since: look at what is new before trying again. */
        found = find_from(head, hash, name, length);
        if (found) {
            free(entry);
            atomic_fetch_sub(&self->count, 1);
            return found;
        }
        entry->next = head;
    } while (!atomic_compare_exchange_weak(bucket, &head, entry));

    entry->older = atomic_load(&self->newest);
    while (!atomic_compare_exchange_weak(&self->newest, &entry->older, entry)) {
    }
    return entry;
}

static int compare_names(const void *left, const void *right)
{
    const table_entry_t *a = *(table_entry_t *const *)left;
    const table_entry_t *b = *(table_entry_t *const *)right;
    return strcmp(a->name, b->name);
}

table_entry_t **table_sorted(table_t *self, size_t *count)
{
    *count = 0;
    table_entry_t *newest = atomic_load(&self->newest);
    size_t total = 0;
    for (table_entry_t *entry = newest; entry; entry = entry->older)
        total++;
    if (total == 0)
        return NULL;
    table_entry_t **entries = malloc(total * sizeof *entries);
    if (!entries)
        return NULL;
    for (table_entry_t *entry = newest; entry; entry = entry->older)
        entries[(*count)++] = entry;
    qsort(entries, total, sizeof *entries, compare_names);
    return entries;
}
