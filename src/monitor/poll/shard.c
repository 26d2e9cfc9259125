#include "monitor/poll/shard.h"

#include <stdlib.h>
#include <string.h>

#include "response/names.h"

/* More than anybody has; it also keeps numbers within their type. */
#define SHARDS_MAXIMUM 1000000

/* Reads digits up to a character; returns what follows it, or NULL. */
static const char *read_number(const char *text, char end, uint64_t *number)
{
    const size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 7 || text[digits] != end)
        return NULL;
    *number = strtoull(text, NULL, 10);
    return text + digits + 1;
}

bool shard_parse(const char *text, shard_t *shard)
{
    const char *rest = read_number(text, '/', &shard->number);
    return rest && read_number(rest, '\0', &shard->count) && shard->count <= SHARDS_MAXIMUM &&
           shard->number >= 1 && shard->number <= shard->count;
}

bool shard_has(const shard_t *self, const char *admin)
{
    if (self->count == 0)
        return true;
    const char *name = names_without_prefix(admin);
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *c = name; *c && *c != '#'; c++) {
        hash ^= (unsigned char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
        hash *= UINT64_C(0x100000001b3);
    }
    return hash % self->count + 1 == self->number;
}
