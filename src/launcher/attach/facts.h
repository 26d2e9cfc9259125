/*
 * facts: what decides whether the agent may be loaded into a process: what /proc says of it, and
 * what this process may do. Nothing is done to the process.
 */
#ifndef LAUNCHER_FACTS_H
#define LAUNCHER_FACTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "process/process.h"

/* Where to read; tests have others. */
typedef struct {
    const char *proc;    /* PROCESS_PROC */
    const char *cgroups; /* /sys/fs/cgroup */
} facts_places_t;

extern const facts_places_t facts_of_this_machine;

typedef struct {
    /* The process. */
    process_t process;
    process_result_t result; /* of process_read() */
    pid_t group;             /* the process that it is a thread of; pid, if it is no mere thread */
    pid_t parent;
    char state;   /* R, S, D, T, t, Z, X, I; see proc(5) */
    pid_t tracer; /* 0: nobody traces it */
    char tracer_name[32];
    bool is_kernel_thread;
    bool is_frozen; /* with its control group */
    bool has_shadow_stack;
    int seccomp;           /* 0: none, 1: strict, 2: a filter */
    uid_t users[3];        /* real, effective, saved */
    uint64_t capabilities; /* that it may have (CapPrm) */
    bool is_32_bits;
    bool is_other_machine; /* not x86-64 */
    bool has_glibc, has_musl;
    /* Of one with an agent since its start: how its environment set that. */
    char agent_setting[16]; /* SKA_TANGO_EVENT_AGENT */
    char agent_socket[16];  /* SKA_TANGO_EVENT_AGENT_SOCKET */
    int memory_failure;     /* why its memory can't be opened (errno); 0: it can */
    /* The machine, and we. */
    int ptrace_scope; /* of Yama's; -1: this kernel has none */
    pid_t own_pid;
    uid_t own_user;            /* the effective one */
    uint64_t own_capabilities; /* CapEff */
    int own_seccomp;
    bool are_we_away; /* in a user namespace of our own: our capabilities are good for that only */
} facts_t;

/* Reads them. The agent isn't asked (process_ask()). */
void facts_read(facts_t *self, const facts_places_t *places, pid_t pid);

/* Whether we have CAP_SYS_PTRACE; and CAP_DAC_OVERRIDE, which opens others' files in /proc. */
bool facts_may_trace_all(const facts_t *self);
bool facts_may_open_all(const facts_t *self);

/* Whether we may read seccomp filters: with the machine's CAP_SYS_ADMIN, and no filter of our own.
 */
bool facts_may_read_filters(const facts_t *self);

#endif
