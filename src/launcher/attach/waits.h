/*
 * waits: in which system calls a thread may be interrupted for a moment, and how it continues.
 *
 * In those where it waits for something from outside (epoll_wait, poll, select, accept, recv, read,
 * sleep): a thread calls them with no lock of the allocator's or the dynamic loader's held, for
 * nobody who holds such a lock waits for the outside. Never in a futex, which is how it waits for
 * such a lock. A sleep counts from 10 ms on: some allocators sleep shorter when a lock is taken.
 *
 * That the thread got there from a signal handler, which may have interrupted the allocator, has to
 * be ruled out by looking at its stack: see waits_has_signal_frame().
 */
#ifndef LAUNCHER_WAITS_H
#define LAUNCHER_WAITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "process/target.h"

enum { WAIT_ARGUMENTS = 6, WAITS_NOT_INTERRUPTED = -1 };

/* A system call in which a thread waits. */
typedef struct {
    int64_t number;
    uint64_t arguments[WAIT_ARGUMENTS];
    uint64_t stack; /* the thread's stack pointer */
    uint64_t at;    /* its instruction pointer, after the system call's instruction */
} wait_t;

typedef enum {
    WAIT_BAD,    /* not to be interrupted */
    WAIT_STREAM, /* accept, recv, read: to be interrupted if the thread has no signal handlers; one
                  * of these calls may be restarted after a handler, or not: that isn't to be seen
                  */
    WAIT_LIMITED,
    WAIT_ENDLESS /* it has no time limit */
} wait_kind_t;

wait_kind_t waits_kind(const target_t *target, const wait_t *wait);

/*
 * How to continue it, after the kernel has interrupted it and returned this: the number of a system
 * call, which is to be made by the same instruction; or -EINTR, which it returns; or
 * WAITS_NOT_INTERRUPTED.
 *
 * It is what the kernel itself does after SIGSTOP and SIGCONT, so that every program has to cope:
 * poll, select, sleep, accept, recv and read go on as if nothing had been, with the time that is
 * left of their limit; epoll_wait returns EINTR, because repeating it would prolong its limit, and
 * with it the timers of asyncio and others. Only if it has no limit it is repeated, where the
 * kernel doesn't.
 */
int64_t waits_continuation(const wait_t *wait, int64_t returned);

/* Whether the thread has another signal mask while it waits. Linux before 5.2 doesn't tell a tracer
 * which one it will have then. */
bool waits_has_mask(const target_t *target, const wait_t *wait);

/*
 * Whether a signal handler runs in the thread: on its stack, from the stack pointer to the end of
 * the mapping, or for 1 MB, is what the kernel saves of the segment registers before each handler.
 * Its value, in one aligned word, isn't a likely one otherwise; if it is there for another reason,
 * the thread isn't used. True, too, if the stack can't be read at all.
 */
bool waits_has_signal_frame(const target_t *target, uint64_t stack);

#endif
