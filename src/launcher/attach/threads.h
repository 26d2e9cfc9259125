/*
 * threads: what the threads of a process are doing, as /proc says, without stopping any.
 */
#ifndef LAUNCHER_THREADS_H
#define LAUNCHER_THREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "launcher/attach/waits.h"

typedef struct {
    pid_t thread;        /* as we see it */
    int32_t inner;       /* as the process itself sees it: it may be in a container */
    int rank;            /* the lower, the better */
    bool no_handlers;    /* it takes no signals that have handlers */
    int seccomp_mode;    /* 0: none, 1: strict, 2: filters */
    int seccomp_filters; /* how many; -1 if the kernel doesn't say */
    wait_t wait;
} thread_t;

/*
 * The threads that may be interrupted, the best first: libzmq's own ("ZMQbg/..."), then those that
 * take no signals, then others; of each, first those that wait without a limit. At most max;
 * returns how many. Their stacks haven't been looked at.
 */
size_t threads_find(const target_t *target, thread_t *threads, size_t max);

typedef enum {
    THREAD_GONE, /* certainly */
    THREAD_RUNS, /* or it can't be said */
    THREAD_WAITS
} thread_state_t;

/* What a thread, by its number as the process itself sees it, is doing; wait: where it waits. */
thread_state_t threads_state(pid_t pid, int32_t inner, wait_t *wait);

/* A number in a line of /proc/PID/status or /proc/PID/task/TID/status, in a base; missing: without
 * that line. thread 0: the process. */
long long threads_status(pid_t pid, pid_t thread, const char *name, int base, long long missing);

#endif
