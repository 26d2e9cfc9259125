/*
 * merge_order: in which order a server gave its answers, where several recorders asked it.
 *
 * Their clocks differ, so by these an answer may come after one that was given later: its counters
 * would have fallen, and be counted anew. The agent says when it answered, by the one clock of its
 * host, which tells. Of servers without it nothing is known, and nothing done.
 */
#ifndef STEM_MERGE_ORDER_H
#define STEM_MERGE_ORDER_H

#include <stddef.h>

#include "monitor/model/snapshot.h"

/* A server's newest answer. */
typedef struct {
    uint64_t hash; /* of its name; 0: a free place */
    size_t file;   /* that has it */
    struct timespec time;
} merge_order_place_t;

/* All 0 is an empty one. Free places with free(). */
typedef struct {
    merge_order_place_t *places;
    size_t size; /* a power of two */
    size_t count;
} merge_order_t;

/*
 * Takes answers out of a snapshot from a file that are older than what another file had of the
 * server. The snapshot is a part then, and may have no replies left. Within a file, all are taken
 * for newer: the host's clock may have been set.
 */
void merge_order_keep(merge_order_t *self, snapshot_t *snapshot, size_t file);

#endif
