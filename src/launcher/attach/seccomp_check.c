#include "launcher/attach/seccomp_check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "launcher/attach/seccomp_filter.h"
#include "launcher/attach/tracing.h"

enum { PROGRAMS_MAX = 256, ADDRESS = 0x10000 };

typedef struct {
    const char *name;
    int number;
    bool may_fail; /* who calls it does without, if it fails */
    uint64_t arguments[3];
} call_t;

#define CALL(name, ...)                                                                            \
    {                                                                                              \
#name, SYS_##name, false,                                                                  \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define OPTIONAL_CALL(name, ...)                                                                   \
    {                                                                                              \
#name, SYS_##name, true,                                                                   \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

/* As glibc's pthread_create has them. */
static const uint64_t thread_flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM |
                                     CLONE_SIGHAND | CLONE_THREAD | CLONE_SETTLS |
                                     CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;

/* Pointers are some address; where filters look, it is at numbers. */
static const call_t *calls(size_t *count)
{
    static call_t needed[] = {
        /* the payload, and how the thread continues */
        CALL(rt_sigprocmask), CALL(rt_sigpending, ADDRESS, 8), CALL(restart_syscall),
        CALL(memfd_create, ADDRESS, 0x11), CALL(close, 3), CALL(gettid), CALL(nanosleep, ADDRESS),
        OPTIONAL_CALL(prctl, 15, ADDRESS),
        /* dlopen */
        CALL(openat, (uint32_t)AT_FDCWD, ADDRESS, O_RDONLY | O_CLOEXEC),
        CALL(read, 3, ADDRESS, 832), CALL(pread64, 3, ADDRESS, 832), CALL(fstat, 3, ADDRESS),
        CALL(newfstatat, 3, ADDRESS, ADDRESS), CALL(mmap, 0, 0x1000, PROT_READ | PROT_WRITE),
        CALL(mmap, 0, 0x1000, PROT_READ | PROT_EXEC), CALL(mprotect, ADDRESS, 0x1000, PROT_READ),
        CALL(mprotect, ADDRESS, 0x1000, PROT_READ | PROT_WRITE), CALL(munmap, ADDRESS, 0x1000),
        CALL(futex, ADDRESS, 128), CALL(brk),
        /* pthread_create, and the thread's end */
        OPTIONAL_CALL(clone3, ADDRESS, 88), OPTIONAL_CALL(rseq, ADDRESS, 32),
        OPTIONAL_CALL(set_robust_list, ADDRESS, 24), OPTIONAL_CALL(madvise, ADDRESS, 0x1000, 4),
        CALL(clone, 0, ADDRESS, ADDRESS), CALL(exit),
        /* the agent, whose answers may be large */
        CALL(getpid), CALL(clock_gettime, 0, ADDRESS), CALL(clock_nanosleep, 1, 0, ADDRESS),
        CALL(getrandom, ADDRESS, 8), CALL(getdents64, 3, ADDRESS, 0x8000),
        OPTIONAL_CALL(process_vm_readv, 1, ADDRESS, 1), OPTIONAL_CALL(mremap, ADDRESS, 0x21000),
        OPTIONAL_CALL(sched_getaffinity, 0, 0x8000, ADDRESS),
        CALL(socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK), CALL(bind, 3, ADDRESS),
        CALL(listen, 3, 64), CALL(getsockname, 3, ADDRESS), CALL(epoll_create1, EPOLL_CLOEXEC),
        CALL(epoll_ctl, 3, EPOLL_CTL_ADD, 4), CALL(epoll_ctl, 3, EPOLL_CTL_MOD, 4),
        CALL(epoll_ctl, 3, EPOLL_CTL_DEL, 4), CALL(epoll_wait, 3, ADDRESS, 33), CALL(accept4, 3, 0),
        CALL(getsockopt, 3, SOL_SOCKET, SO_PEERCRED), CALL(getresuid, ADDRESS, ADDRESS, ADDRESS),
        CALL(recvfrom, 3, ADDRESS), CALL(sendmsg, 3, ADDRESS, MSG_DONTWAIT | MSG_NOSIGNAL),
        CALL(write, 2, ADDRESS)};
    *count = sizeof needed / sizeof *needed;
    for (size_t i = 0; i < *count; i++)
        if (needed[i].number == SYS_clone)
            needed[i].arguments[0] = thread_flags;
    return needed;
}

static uint32_t run(const seccomp_program_t *programs, size_t count, const call_t *call)
{
    struct seccomp_data data = {
        .nr = call->number, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = ADDRESS};
    uint32_t result = SECCOMP_RET_ALLOW;
    for (size_t i = 0; i < sizeof call->arguments / sizeof *call->arguments; i++)
        data.args[i] = call->arguments[i];
    for (size_t i = 0; i < count; i++)
        result = seccomp_filter_stricter(
            result, seccomp_filter_run(programs[i].instructions, programs[i].length, &data));
    return result;
}

static seccomp_check_t judge(const call_t *call, uint32_t result, char *reason, size_t reason_size)
{
    switch (result & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG:
        return SECCOMP_ALLOWED;
    case SECCOMP_RET_ERRNO:
        if (call->may_fail)
            return SECCOMP_ALLOWED;
        snprintf(reason, reason_size, "its seccomp filters deny %s", call->name);
        return SECCOMP_DENIED;
    case SECCOMP_RET_USER_NOTIF:
    case SECCOMP_RET_TRACE:
        snprintf(reason, reason_size,
                 "its seccomp filters let another program decide about %s: use "
                 "--yes-i-may-lose-it if you know that it allows that",
                 call->name);
        return SECCOMP_UNKNOWN;
    default:
        snprintf(reason, reason_size, "its seccomp filters kill it for %s", call->name);
        return SECCOMP_DENIED;
    }
}

seccomp_check_t seccomp_check_programs(const seccomp_program_t *programs, size_t count,
                                       char *reason, size_t reason_size)
{
    size_t call_count = 0;
    const call_t *needed = calls(&call_count);
    seccomp_check_t worst = SECCOMP_ALLOWED;
    for (size_t i = 0; i < call_count && worst != SECCOMP_DENIED; i++) {
        char text[160];
        const seccomp_check_t result =
            judge(&needed[i], run(programs, count, &needed[i]), text, sizeof text);
        if (result == SECCOMP_DENIED || (result == SECCOMP_UNKNOWN && worst == SECCOMP_ALLOWED)) {
            worst = result;
            snprintf(reason, reason_size, "%s", text);
        }
    }
    return worst;
}

/* ---- reading them ---- */

typedef struct {
    seccomp_program_t programs[PROGRAMS_MAX];
    size_t count;
    int error; /* errno of the first that can't be read */
} programs_t;

static bool read_program(pid_t thread, programs_t *self)
{
    const long length = ptrace(PTRACE_SECCOMP_GET_FILTER, thread, self->count, NULL);
    if (length < 0) {
        self->error = errno == ENOENT ? 0 : errno; /* there is none of that number any more */
        return false;
    }
    struct sock_filter *instructions = calloc((size_t)length + 1, sizeof *instructions);
    if (instructions == NULL ||
        ptrace(PTRACE_SECCOMP_GET_FILTER, thread, self->count, instructions) != length) {
        self->error = errno;
        free(instructions);
        return false;
    }
    self->programs[self->count++] =
        (seccomp_program_t){.instructions = instructions, .length = (size_t)length};
    return true;
}

static void read_programs(pid_t thread, void *data)
{
    programs_t *self = data;
    while (self->count < PROGRAMS_MAX && read_program(thread, self))
        ;
    if (self->count == PROGRAMS_MAX)
        self->error = E2BIG;
}

seccomp_check_t seccomp_check_thread(pid_t thread, char *reason, size_t reason_size)
{
    double stopped_us = 0;
    seccomp_check_t result = SECCOMP_UNKNOWN;
    programs_t *programs = calloc(1, sizeof *programs);
    if (programs == NULL ||
        tracing_stop(thread, read_programs, programs, &stopped_us) != TRACING_DONE)
        result = SECCOMP_BUSY;
    else if (programs->error == EACCES)
        snprintf(reason, reason_size, SECCOMP_UNREADABLE);
    else if (programs->error != 0)
        snprintf(reason, reason_size,
                 "its seccomp filters can't be read (%s): use --yes-i-may-lose-it if you know that "
                 "they allow memfd_create",
                 strerror(programs->error));
    else
        result = seccomp_check_programs(programs->programs, programs->count, reason, reason_size);
    for (size_t i = 0; programs != NULL && i < programs->count; i++)
        free(programs->programs[i].instructions);
    free(programs);
    return result;
}
