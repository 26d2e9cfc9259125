/*
 * table: entries by name; any thread can add and read them at any time without a lock, and they are
 * never moved or removed.
 *
 * Nothing here waits, so a query that walks a table never makes an event wait. The price is that
 * entries stay for the life of the process; their number is bounded.
 */
#ifndef STEM_AGENT_TABLE_H
#define STEM_AGENT_TABLE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TABLE_BUCKETS = 4096,
    TABLE_NAME_MAX = 1023 /* longer names are refused; no topic is longer, see wire.h */
};

/* The head of every entry; the user's struct begins with it. */
typedef struct table_entry {
    struct table_entry *next;  /* in its bucket; set before the entry is published */
    struct table_entry *older; /* the entry added before; likewise */
    uint64_t hash;
    size_t name_length;
    const char *name; /* NUL-terminated, in the same allocation */
} table_entry_t;

typedef struct {
    _Atomic(table_entry_t *) buckets[TABLE_BUCKETS];
    _Atomic(table_entry_t *) newest;
    size_t entry_size;
    size_t limit;
    _Atomic size_t count;
    _Atomic uint64_t refused; /* how often an entry was not added because the table is full, or its
                                 name too long */
} table_t;

/* Prepares an empty table for entries of entry_size bytes, at most limit of them. */
void table_init(table_t *self, size_t entry_size, size_t limit);

/* Frees all entries; nobody may use the table meanwhile or after. For tests: the agent's own live
   as long as the process. */
void table_clear(table_t *self);

/* The entry of that name, or NULL. The name need not end with a NUL. */
table_entry_t *table_find(table_t *self, const char *name, size_t length);

/*
 * The entry of that name; a new one, zero except for its head, if there was none. NULL if the table
 * is full, memory ran out, or the name is too long. Two threads that ask for the same new name get
 * the same entry.
 */
table_entry_t *table_get(table_t *self, const char *name, size_t length);

/*
 * All entries, ordered by name, in a new array that the caller frees (NULL if there is none, or no
 * memory). Sets *count. Entries added meanwhile may be missing.
 */
table_entry_t **table_sorted(table_t *self, size_t *count);

#endif
