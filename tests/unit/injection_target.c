#include "injection_target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- a system call with everything that it keeps filled ---- */

typedef struct {
    uint64_t general[13]; /* rax rdi rsi rdx r10 r8 r9 rbx rbp r12 r13 r14 r15 */
    uint64_t flags;
    uint32_t mxcsr;
    uint16_t x87_control;
    uint16_t unused;
    unsigned char x87[16];
    unsigned char red_zone[112];
    unsigned char vectors[16 * 32] __attribute__((aligned(32)));
} state_t;

/* before: general, mxcsr, x87_control, red_zone and vectors are taken from it; all is put to after.
 * The direction flag and the carry flag are set. */
void guarded_call(const state_t *before, state_t *after);

#define EACH_VECTOR(DO)                                                                            \
    DO(0)                                                                                          \
    DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)
#define LOAD_VECTOR(n)  "    vmovdqu 256+32*" #n "(%rax), %ymm" #n "\n"
#define STORE_VECTOR(n) "    vmovdqu %ymm" #n ", 256+32*" #n "(%rcx)\n"
_Static_assert(__builtin_offsetof(state_t, vectors) == 256, "as the code below has it");

__asm__(".text\n"
        ".globl guarded_call\n"
        "guarded_call:\n"
        "    push %rbx\n    push %rbp\n    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
        "    push %rsi\n"
        "    mov %rdi, %rax\n"
        "    lea 136(%rax), %rsi\n" /* red_zone */
        "    lea -112(%rsp), %rdi\n"
        "    mov $112, %ecx\n"
        "    cld\n"
        "    rep movsb\n" EACH_VECTOR(
            LOAD_VECTOR) "    ldmxcsr 112(%rax)\n"
                         "    fldpi\n"
                         "    fldcw 116(%rax)\n"
                         "    mov 8(%rax), %rdi\n    mov 16(%rax), %rsi\n    mov 24(%rax), %rdx\n"
                         "    mov 32(%rax), %r10\n    mov 40(%rax), %r8\n    mov 48(%rax), %r9\n"
                         "    mov 56(%rax), %rbx\n    mov 64(%rax), %rbp\n    mov 72(%rax), %r12\n"
                         "    mov 80(%rax), %r13\n    mov 88(%rax), %r14\n    mov 96(%rax), %r15\n"
                         "    mov (%rax), %rax\n"
                         "    std\n"
                         "    stc\n"
                         "    syscall\n"
                         "    mov (%rsp), %rcx\n"
                         "    mov %rax, (%rcx)\n    mov %rdi, 8(%rcx)\n    mov %rsi, 16(%rcx)\n"
                         "    mov %rdx, 24(%rcx)\n    mov %r10, 32(%rcx)\n    mov %r8, 40(%rcx)\n"
                         "    mov %r9, 48(%rcx)\n    mov %rbx, 56(%rcx)\n    mov %rbp, 64(%rcx)\n"
                         "    mov %r12, 72(%rcx)\n    mov %r13, 80(%rcx)\n    mov %r14, 88(%rcx)\n"
                         "    mov %r15, 96(%rcx)\n"
                         "    stmxcsr 112(%rcx)\n"
                         "    fnstcw 116(%rcx)\n"
                         "    fstpt 120(%rcx)\n" EACH_VECTOR(
                             STORE_VECTOR) "    vzeroupper\n"
                                           "    mov %rcx, %rbx\n"
                                           "    lea 136(%rbx), %rdi\n"
                                           "    lea -112(%rsp), %rsi\n"
                                           "    mov $112, %ecx\n"
                                           "    lea -128(%rsp), %rsp\n"
                                           "    pushfq\n"
                                           "    cld\n"
                                           "    rep movsb\n"
                                           "    pop %rax\n"
                                           "    mov %rax, 104(%rbx)\n"
                                           "    lea 128(%rsp), %rsp\n"
                                           "    pop %rsi\n"
                                           "    pop %r15\n    pop %r14\n    pop %r13\n    pop "
                                           "%r12\n    pop %rbp\n    pop %rbx\n"
                                           "    ret\n");

enum { MXCSR = 0x9fc0, X87_CONTROL = 0x0f7f, MXCSR_NORMAL = 0x1f80, X87_NORMAL = 0x037f };
enum { DIRECTION_AND_CARRY = 0x401, ERRNO = 4242 };

static injection_report_t *report;

static void compare(const state_t *before, const state_t *after)
{
    static const unsigned char pi[] = {0x35, 0xc2, 0x68, 0x21, 0xa2, 0xda, 0x0f, 0xc9, 0x00, 0x40};
    uint32_t differences = 0;
    for (size_t i = 1; i < 13; i++)
        if (before->general[i] != after->general[i])
            differences |= 1U << i;
    if ((after->flags & DIRECTION_AND_CARRY) != DIRECTION_AND_CARRY)
        differences |= 1U << 13;
    if (after->mxcsr != before->mxcsr)
        differences |= 1U << 14;
    if (after->x87_control != before->x87_control)
        differences |= 1U << 15;
    if (memcmp(after->x87, pi, sizeof pi) != 0)
        differences |= 1U << 16;
    if (memcmp(before->red_zone, after->red_zone, sizeof before->red_zone) != 0)
        differences |= 1U << 17;
    if (memcmp(before->vectors, after->vectors, sizeof before->vectors) != 0)
        differences |= 1U << 18;
    if (errno != ERRNO)
        differences |= 1U << 19;
    report->differences |= differences;
}

static int64_t call(long number, const uint64_t *arguments)
{
    state_t before = {.general = {(uint64_t)number}, .mxcsr = MXCSR, .x87_control = X87_CONTROL};
    state_t after;
    sigset_t mask;
    sigset_t mask_after;
    const uint32_t mxcsr = MXCSR_NORMAL;
    const uint16_t x87_control = X87_NORMAL;
    memcpy(before.general + 1, arguments, 6 * sizeof *arguments);
    for (size_t i = 7; i < 13; i++)
        before.general[i] = 0x0101010101010101U * (0xa0 + i);
    for (size_t i = 0; i < sizeof before.red_zone; i++)
        before.red_zone[i] = (unsigned char)(i * 7 + 1);
    for (size_t i = 0; i < sizeof before.vectors; i++)
        before.vectors[i] = (unsigned char)(i * 11 + 3);
    sigprocmask(SIG_SETMASK, NULL, &mask);
    memset(&after, 0, sizeof after);
    errno = ERRNO;
    guarded_call(&before, &after);
    __asm__ volatile("ldmxcsr %0\n fldcw %1" ::"m"(mxcsr), "m"(x87_control));
    compare(&before, &after);
    sigprocmask(SIG_SETMASK, NULL, &mask_after);
    for (int i = 1; i < 65; i++)
        if (sigismember(&mask, i) != sigismember(&mask_after, i))
            report->differences |= 1U << 20;
    return (int64_t)after.general[0];
}

/* ---- what it waits for ---- */

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool is_readable(int file)
{
    struct pollfd one = {.fd = file, .events = POLLIN};
    return poll(&one, 1, 0) == 1;
}

static int64_t wait_once(target_kind_t kind, int wake, int epoll)
{
    struct pollfd one = {.fd = wake, .events = POLLIN};
    struct epoll_event event;
    struct timespec limit = {.tv_nsec = TARGET_LIMIT_MS * 1000000L};
    struct timeval select_limit = {.tv_usec = TARGET_LIMIT_MS * 1000L};
    const uint64_t none = 0;
    fd_set set;
    char byte = 0;
    FD_ZERO(&set);
    FD_SET(wake, &set);
    const uint64_t files = (uint64_t)wake;
    switch (kind) {
    case TARGET_EPOLL:
    case TARGET_EPOLL_LIMIT:
        return call(SYS_epoll_wait,
                    (uint64_t[6]){(uint64_t)epoll, (uintptr_t)&event, 1,
                                  kind == TARGET_EPOLL ? (uint64_t)-1 : TARGET_LIMIT_MS});
    case TARGET_SELECT:
        return call(SYS_select, (uint64_t[6]){files + 1, (uintptr_t)&set});
    case TARGET_SELECT_LIMIT:
        return call(SYS_select,
                    (uint64_t[6]){files + 1, (uintptr_t)&set, 0, 0, (uintptr_t)&select_limit});
    case TARGET_RECV:
        return call(SYS_recvfrom, (uint64_t[6]){files, (uintptr_t)&byte, 1, MSG_PEEK});
    case TARGET_READ:
        return call(SYS_read, (uint64_t[6]){files, (uintptr_t)&byte, 1});
    case TARGET_PPOLL_LIMIT:
        return call(SYS_ppoll, (uint64_t[6]){(uintptr_t)&one, 1, (uintptr_t)&limit});
    case TARGET_PPOLL_HANDLER:
        return call(SYS_ppoll, (uint64_t[6]){(uintptr_t)&one, 1, 0, (uintptr_t)&none, 8});
    case TARGET_SLEEP:
        return call(SYS_nanosleep, (uint64_t[6]){(uintptr_t)&limit, (uintptr_t)&limit});
    case TARGET_SLEEP_UNTIL:
        clock_gettime(CLOCK_MONOTONIC, &limit);
        limit.tv_nsec += TARGET_LIMIT_MS * 1000000L;
        limit.tv_sec += limit.tv_nsec / 1000000000;
        limit.tv_nsec %= 1000000000;
        return call(SYS_clock_nanosleep,
                    (uint64_t[6]){CLOCK_MONOTONIC, TIMER_ABSTIME, (uintptr_t)&limit});
    default:
        return call(SYS_poll,
                    (uint64_t[6]){(uintptr_t)&one, 1,
                                  kind == TARGET_POLL_LIMIT ? TARGET_LIMIT_MS : (uint64_t)-1});
    }
}

static bool has_limit(target_kind_t kind)
{
    return kind >= TARGET_EPOLL_LIMIT && kind <= TARGET_SLEEP_UNTIL;
}

static void note(target_kind_t kind, int64_t returned, uint64_t took_ms)
{
    /* The endless one is interrupted if an attacher is killed while the thread is stopped. */
    const bool may_interrupt = kind == TARGET_EPOLL || kind == TARGET_EPOLL_LIMIT ||
                               kind == TARGET_POLL_HANDLER || kind == TARGET_PPOLL_HANDLER;
    report->returned++;
    if (returned == -EINTR && may_interrupt) {
        report->interrupted++;
    } else if (returned == 0 && has_limit(kind)) {
        if (took_ms > report->longest_ms)
            report->longest_ms = (uint32_t)took_ms;
        if (took_ms < report->shortest_ms)
            report->shortest_ms = (uint32_t)took_ms;
    } else if (returned != 1) {
        report->wrong = returned;
    }
}

static int handler_waits_for = -1;

static void handle(int signal)
{
    (void)signal;
    report->handled++;
    if (handler_waits_for >= 0)
        poll(&(struct pollfd){.fd = handler_waits_for, .events = POLLIN}, 1, -1);
}

static void run(target_kind_t kind, int wake)
{
    struct epoll_event event = {.events = EPOLLIN};
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event);
    sigset_t mask;
    sigfillset(&mask);
    if (kind == TARGET_POLL_HANDLER || kind == TARGET_IN_HANDLER)
        sigemptyset(&mask);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    if (kind == TARGET_POLL_HANDLER || kind == TARGET_PPOLL_HANDLER || kind == TARGET_IN_HANDLER)
        sigaction(SIGUSR1, &(struct sigaction){.sa_handler = handle}, NULL);
    report->ready = 1;
    if (kind == TARGET_IN_HANDLER) {
        handler_waits_for = wake;
        raise(SIGUSR1);
        return;
    }
    if (kind == TARGET_FUTEX)
        while (!is_readable(wake))
            syscall(SYS_futex, &report->handled, FUTEX_WAIT, 0, &(struct timespec){.tv_sec = 60},
                    NULL, 0);
    do {
        const uint64_t began = now_ms();
        const int64_t returned = wait_once(kind, wake, epoll);
        note(kind, returned, now_ms() - began);
    } while (!is_readable(wake));
}

/* ---- the parent's side ---- */

injection_target_t injection_target_start(target_kind_t kind, void (*prepare)(void))
{
    int says[2];
    int wake[2];
    injection_target_t self = {.report = mmap(NULL, sizeof *self.report, PROT_READ | PROT_WRITE,
                                              MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
    self.report->shortest_ms = UINT32_MAX;
    if (pipe2(says, O_CLOEXEC) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, wake) != 0)
        abort();
    self.pid = fork();
    if (self.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        report = self.report;
        dup2(says[1], INJECTION_TARGET_SAYS);
        close(says[0]);
        close(says[1]);
        close(wake[0]);
        if (prepare != NULL)
            prepare();
        run(kind, wake[1]);
        _exit(0);
    }
    close(says[1]);
    close(wake[1]);
    self.says = says[0];
    self.wake = wake[0];
    while (self.report->ready == 0)
        sched_yield();
    return self;
}

int injection_target_end(injection_target_t *self)
{
    int status = 0;
    /* Two: for who reads one, and for who looks whether there is one. */
    send(self->wake, "ww", 2, MSG_NOSIGNAL);
    waitpid(self->pid, &status, 0);
    close(self->wake);
    close(self->says);
    munmap(self->report, sizeof *self->report);
    self->report = NULL;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
