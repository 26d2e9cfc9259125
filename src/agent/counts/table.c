#include "agent/counts/table.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

/*
 * Names come from the network, so somebody could choose them so that they all fall into one bucket:
 * hence the hash has a secret key. It is NH, of UMAC (RFC 4418; Black and others, "UMAC: Fast and
 * Secure Message Authentication", 1999): two names that were chosen without the key have the same
 * sum with a probability of 2^-64, whatever they are. Its multiplications don't wait for each
 * other, so that it is no slower than one without a key.
 */
enum { KEY_WORDS = TABLE_NAME_MAX / 8 + 2 };

static uint64_t hash_key[KEY_WORDS + 3]; /* the last three are for the final mixing of the sum */
static pthread_once_t hash_key_once = PTHREAD_ONCE_INIT;

/* The kernel gives each process 16 random bytes; splitmix64 makes more of them. */
static void make_hash_key(void)
{
    const void *random = (const void *)getauxval(AT_RANDOM);
    uint64_t seeds[2] = {0};
    if (random)
        memcpy(seeds, random, sizeof seeds);
    uint64_t state = seeds[0];
    for (size_t i = 0; i < sizeof hash_key / sizeof *hash_key; i++) {
        state += UINT64_C(0x9E3779B97F4A7C15);
        uint64_t word = state;
        word = (word ^ word >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
        word = (word ^ word >> 27) * UINT64_C(0x94D049BB133111EB);
        hash_key[i] = word ^ word >> 31 ^ seeds[1];
    }
}

static uint64_t word_at(const char *name)
{
    uint64_t word;
    memcpy(&word, name, 8);
    return word;
}

/* Of at most TABLE_NAME_MAX bytes. The last words are padded with zeros; the length distinguishes
 * names that end in zeros. */
static uint64_t hash_name(const char *name, size_t length)
{
    const uint64_t *key = hash_key;
    unsigned __int128 sum = 0;
    size_t rest = length;
    for (; rest >= 16; rest -= 16, name += 16, key += 2)
        sum += (unsigned __int128)(word_at(name) + key[0]) * (word_at(name + 8) + key[1]);
    if (rest > 0) {
        uint64_t words[2] = {0};
        memcpy(words, name, rest);
        sum += (unsigned __int128)(words[0] + key[0]) * (words[1] + key[1]);
    }
    key = hash_key + KEY_WORDS;
    unsigned __int128 mixed =
        (unsigned __int128)((uint64_t)sum + key[0]) * ((uint64_t)(sum >> 64) + key[1] + length);
    uint64_t hash = ((uint64_t)mixed ^ (uint64_t)(mixed >> 64)) + key[2];
    return hash ^ hash >> 32;
}

void table_init(table_t *self, size_t entry_size, size_t limit)
{
    pthread_once(&hash_key_once, make_hash_key);
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
    for (; entry; entry = entry->next)
        if (entry->hash == hash && entry->name_length == length &&
            memcmp(entry->name, name, length) == 0)
            return entry;
    return NULL;
}

table_entry_t *table_find(table_t *self, const char *name, size_t length)
{
    if (length > TABLE_NAME_MAX)
        return NULL;
    uint64_t hash = hash_name(name, length);
    return find_from(
        atomic_load_explicit(&self->buckets[hash % TABLE_BUCKETS], memory_order_acquire), hash,
        name, length);
}

table_entry_t *table_get(table_t *self, const char *name, size_t length)
{
    if (length > TABLE_NAME_MAX) {
        atomic_fetch_add_explicit(&self->refused, 1, memory_order_relaxed);
        return NULL;
    }
    uint64_t hash = hash_name(name, length);
    _Atomic(table_entry_t *) *bucket = &self->buckets[hash % TABLE_BUCKETS];
    table_entry_t *head = atomic_load_explicit(bucket, memory_order_acquire);
    table_entry_t *found = find_from(head, hash, name, length);
    if (found)
        return found;

    /* A place is reserved before it is used, so that racing threads can't exceed the limit. */
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
        /* head may have changed: check the new entries before trying again. */
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
