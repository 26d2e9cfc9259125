/*
 * shard: a part of all servers, for a program that watches only its part.
 *
 * A server is in one of them, by its name alone: the FNV-1a hash (64 bits) of the admin device's
 * name in lower case, "dserver/pub/1" without "tango://host:port/" and "#dbase=no", modulo the
 * number of shards, plus 1.
 */
#ifndef STEM_SHARD_H
#define STEM_SHARD_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t number; /* from 1 */
    uint64_t count;  /* 0: there are no shards */
} shard_t;

/* Reads "2/5". False if it is none. */
bool shard_parse(const char *text, shard_t *shard);

/* Whether an admin device of that name is in it; everything is if there are no shards. */
bool shard_has(const shard_t *self, const char *admin);

#endif
