/*
 * seccomp_check: whether the seccomp filters of a thread allow the system calls that the payload,
 * the dynamic loader, a new thread and the agent's socket make.
 *
 * Reading filters needs CAP_SYS_ADMIN (in the initial user namespace), and a thread that is
 * stopped.
 */
#ifndef LAUNCHER_SECCOMP_CHECK_H
#define LAUNCHER_SECCOMP_CHECK_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef enum {
    SECCOMP_ALLOWED,
    SECCOMP_DENIED,  /* a system call is denied, or kills */
    SECCOMP_UNKNOWN, /* the filters can't be read, or another program decides (USER_NOTIF, TRACE) */
    SECCOMP_BUSY     /* the thread can't be stopped at the moment */
} seccomp_check_t;

/* What one filter after the other, each of some instructions, says. For SECCOMP_DENIED and
 * SECCOMP_UNKNOWN: a line in reason. */
typedef struct {
    struct sock_filter *instructions;
    size_t length;
} seccomp_program_t;

seccomp_check_t seccomp_check_programs(const seccomp_program_t *programs, size_t count,
                                       char *reason, size_t reason_size);

/* Why they can't be read, as a rule, and what to do. */
#define SECCOMP_UNREADABLE                                                                         \
    "its seccomp filters can't be read: run this as root of the machine, or use "                  \
    "--yes-i-may-lose-it if you know that they allow memfd_create"

/* Those of a thread, which is stopped for them. */
seccomp_check_t seccomp_check_thread(pid_t thread, char *reason, size_t reason_size);

#endif
