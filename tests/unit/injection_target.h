/*
 * injection_target: children of a test whose one thread waits in a system call, and checks that
 * nothing of it has changed when it returns.
 */
#ifndef INJECTION_TARGET_H
#define INJECTION_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The descriptor on which a library that has been loaded says so. */
enum { INJECTION_TARGET_SAYS = 100 };

typedef struct {
    volatile uint32_t ready;
    volatile uint32_t returned;                /* how often the system call has returned */
    volatile uint32_t interrupted;             /* with EINTR */
    volatile uint32_t handled;                 /* how often the signal's handler ran */
    volatile uint32_t differences;             /* what wasn't as before, one bit for each thing */
    volatile int64_t wrong;                    /* the last value returned that it shouldn't have */
    volatile uint32_t longest_ms, shortest_ms; /* of the calls with a limit that ended by it */
} injection_report_t;

typedef enum {
    TARGET_EPOLL,
    TARGET_POLL,
    TARGET_SELECT,
    TARGET_RECV,
    TARGET_READ,
    TARGET_EPOLL_LIMIT, /* these with a limit, again and again */
    TARGET_POLL_LIMIT,
    TARGET_PPOLL_LIMIT,
    TARGET_SELECT_LIMIT,
    TARGET_SLEEP,
    TARGET_SLEEP_UNTIL,
    TARGET_POLL_HANDLER,  /* it handles SIGUSR1, which interrupts poll */
    TARGET_PPOLL_HANDLER, /* the same, but only while it waits */
    TARGET_IN_HANDLER,    /* it waits in poll, in a handler */
    TARGET_FUTEX,
    TARGET_KINDS
} target_kind_t;

enum { TARGET_LIMIT_MS = 40 };

typedef struct {
    pid_t pid;
    int says; /* to read what a library says */
    int wake; /* to be written to, to make it return from an endless wait, and end */
    injection_report_t *report;
} injection_target_t;

/* prepare: called in the child first; or NULL. */
injection_target_t injection_target_start(target_kind_t kind, void (*prepare)(void));

/* Wakes it up, and waits until it has ended by itself: its exit status, or minus the signal. */
int injection_target_end(injection_target_t *self);

#endif
