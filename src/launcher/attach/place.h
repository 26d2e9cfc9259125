/*
 * place: where in a process the payload and its mailbox go: into the zero bytes between the end of
 * a library's code, or of its variables, and the end of the page. Nothing refers to them: they are
 * beyond the segment, and in no other segment's pages.
 *
 * Only in libraries that no process unloads: the C library, libtango and what they need. Two
 * objects are left out for the mailbox: the dynamic loader, whose own allocator uses what follows
 * its variables, and a program after whose variables the heap begins at once.
 *
 * What an attacher leaves there that is killed is found by the next, who waits until it isn't used
 * any more, and then takes the same place again, if it is certain that no thread is in it; or else
 * another.
 */
#ifndef LAUNCHER_PLACE_H
#define LAUNCHER_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "launcher/attach/payload.h"
#include "process/target.h"

typedef struct {
    uint64_t code;
    uint64_t mailbox;
} place_t;

typedef enum {
    PLACE_FOUND,
    PLACE_IN_USE, /* somebody attaches just now, or a killed one's threads aren't through */
    PLACE_NONE
} place_result_t;

place_result_t place_find(const target_t *target, place_t *place);

typedef enum {
    PLACE_USED,  /* a thread will need it */
    PLACE_FREE,  /* no thread is in it, or will be */
    PLACE_UNSURE /* one may be in its last instructions */
} place_use_t;

/* Whether the payload at a place, with this mailbox, is in use. */
place_use_t place_use(const target_t *target, uint64_t code, const mailbox_t *mailbox);

/* Makes it as it was, if no thread is in it; true if it did. Only for who attached. */
bool place_clean(const target_t *target, const place_t *place);

/* Writes into the process's memory, also where the process itself can't. */
bool place_write(const target_t *target, uint64_t address, const void *data, size_t size);

#endif
