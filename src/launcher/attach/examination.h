/*
 * examination: what injection_check() and injection_load() have to know of a process: whether it
 * can be done, where its functions are, and where there is room.
 */
#ifndef LAUNCHER_EXAMINATION_H
#define LAUNCHER_EXAMINATION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "launcher/attach/injection_check.h"
#include "launcher/attach/payload.h"
#include "launcher/attach/threads.h"
#include "process/target.h"

enum { EXAMINATION_THREADS_MAX = 256 };

typedef struct {
    bool is_open;
    target_t target;
    payload_t payload; /* with the functions */
    /* What the filters that were looked at are on; other threads may have others. */
    int seccomp_mode, seccomp_filters;
} examination_t;

/* Opens the process. In any case, end it with examination_end(). */
injection_result_t examination_begin(examination_t *self, pid_t pid, char *error,
                                     size_t error_size);

void examination_end(examination_t *self);

/* What is loaded: whether the agent is, and where the functions are. */
injection_result_t examination_objects(examination_t *self, char *error, size_t error_size);

/* Whether a thread can be interrupted, and whether its filters allow it. */
injection_result_t examination_threads(examination_t *self, char *error, size_t error_size);

/* Whether one that was found may be interrupted, as far as it can be told without stopping it. */
bool examination_may_interrupt(const examination_t *self, const thread_t *thread);

#endif
