/*
 * refusal: whether attach leaves a process alone, and why: it isn't allowed, it can't work, or it
 * might harm the process.
 */
#ifndef LAUNCHER_REFUSAL_H
#define LAUNCHER_REFUSAL_H

#include <stdbool.h>

#include "launcher/attach/facts.h"

typedef struct {
    char reason[128]; /* a few words, for a column: "traced by 77 (gdb)" */
    char line[512];   /* the reason and its remedy, about "it" */
} refusal_t;

/*
 * Whether there is a reason not to load the agent. Its agent has been asked (process_ask()), if it
 * has one; a detached one is no reason: it can be attached again, for which nothing is loaded.
 */
bool refusal_find(const facts_t *facts, refusal_t *refusal);

/*
 * Likewise, for one that isn't refused, what attach finds out only by trying, and what it can be
 * told to do all the same: whether its seccomp filters can't be read. What readable ones forbid
 * isn't known before a thread of the process is stopped.
 */
bool refusal_find_filters(const facts_t *facts, refusal_t *refusal);

#endif
