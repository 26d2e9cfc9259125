/* What seccomp filters say, beside the kernel's own opinion; and what is concluded from it. */
#include "cmocka_all.h"

#include <errno.h>
#include <linux/audit.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launcher/attach/seccomp_check.h"
#include "launcher/attach/seccomp_filter.h"

#define LENGTH(program) (sizeof(program) / sizeof *(program))
#define NUMBER          ((uint32_t)offsetof(struct seccomp_data, nr))
#define ARCH            ((uint32_t)offsetof(struct seccomp_data, arch))
#define ARGUMENT(n)     ((uint32_t)offsetof(struct seccomp_data, args[n]))

static uint32_t run(const struct sock_filter *program, size_t length, int number, uint64_t argument)
{
    const struct seccomp_data data = {
        .nr = number, .arch = AUDIT_ARCH_X86_64, .args = {argument, argument >> 32}};
    return seccomp_filter_run(program, length, &data);
}

static void decides(void **state)
{
    (void)state;
    const struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARCH),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NUMBER),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT(0)),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    assert_int_equal(run(program, LENGTH(program), SYS_read, 9), SECCOMP_RET_ALLOW);
    assert_int_equal(run(program, LENGTH(program), SYS_socket, 1), SECCOMP_RET_ALLOW);
    assert_int_equal(run(program, LENGTH(program), SYS_socket, 3), SECCOMP_RET_ERRNO | EPERM);
    const struct seccomp_data other = {.nr = SYS_read, .arch = AUDIT_ARCH_I386};
    assert_int_equal(seccomp_filter_run(program, LENGTH(program), &other),
                     SECCOMP_RET_KILL_PROCESS);
}

/* A = (((argument + 5) * 3 - 1) / 2 ^ 0x55) << 2 | 1, with the memory and X in between. */
static void calculates(void **state)
{
    (void)state;
    const struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT(0)),
        BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 5),
        BPF_STMT(BPF_ST, 15),
        BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_IMM, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_MEM, 15),
        BPF_STMT(BPF_ALU | BPF_MUL | BPF_X, 0),
        BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 1),
        BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 2),
        BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, 0x55),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_IMM, 7),
        BPF_STMT(BPF_MISC | BPF_TXA, 0),
        BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 2),
        BPF_STMT(BPF_ALU | BPF_OR | BPF_K, 1),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    for (uint32_t value = 0; value < 1000; value += 7)
        assert_int_equal(run(program, LENGTH(program), 0, value),
                         ((((value + 5) * 3 - 1) / 2) ^ 0x55) << 2 | 1);
}

static void kills_what_is_no_filter(void **state)
{
    (void)state;
    const struct sock_filter no_end[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)};
    const struct sock_filter elsewhere[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64),
                                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const struct sock_filter far[] = {BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff),
                                      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const struct sock_filter memory[] = {BPF_STMT(BPF_ST, 16),
                                         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const struct sock_filter zero[] = {BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0),
                                       BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    assert_int_equal(run(no_end, LENGTH(no_end), 0, 0), SECCOMP_RET_KILL_PROCESS);
    assert_int_equal(run(elsewhere, LENGTH(elsewhere), 0, 0), SECCOMP_RET_KILL_PROCESS);
    assert_int_equal(run(far, LENGTH(far), 0, 0), SECCOMP_RET_KILL_PROCESS);
    assert_int_equal(run(memory, LENGTH(memory), 0, 0), SECCOMP_RET_KILL_PROCESS);
    assert_int_equal(run(zero, LENGTH(zero), 0, 0), SECCOMP_RET_KILL_PROCESS);
}

/* Everything is allowed but one system call. */
static seccomp_check_t check(int number, uint32_t answer, char *reason, size_t size)
{
    struct sock_filter instructions[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NUMBER),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, answer),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_filter all[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_LOG)};
    const seccomp_program_t programs[] = {{all, 1}, {instructions, LENGTH(instructions)}, {all, 1}};
    reason[0] = '\0';
    return seccomp_check_programs(programs, LENGTH(programs), reason, size);
}

static void names_what_is_denied(void **state)
{
    (void)state;
    char reason[160];
    assert_int_equal(check(SYS_ptrace, SECCOMP_RET_KILL_PROCESS, reason, sizeof reason),
                     SECCOMP_ALLOWED);
    assert_int_equal(check(SYS_mprotect, SECCOMP_RET_ERRNO | EPERM, reason, sizeof reason),
                     SECCOMP_DENIED);
    assert_string_equal(reason, "its seccomp filters deny mprotect");
    assert_int_equal(check(SYS_bind, SECCOMP_RET_TRAP, reason, sizeof reason), SECCOMP_DENIED);
    assert_string_equal(reason, "its seccomp filters kill it for bind");
    assert_int_equal(check(SYS_memfd_create, SECCOMP_RET_USER_NOTIF, reason, sizeof reason),
                     SECCOMP_UNKNOWN);
    assert_string_equal(reason,
                        "its seccomp filters let another program decide about memfd_create: use "
                        "--yes-i-may-lose-it if you know that it allows that");
    assert_int_equal(check(SYS_epoll_wait, SECCOMP_RET_KILL_PROCESS, reason, sizeof reason),
                     SECCOMP_DENIED);
    /* The agent does without it. */
    assert_int_equal(check(SYS_process_vm_readv, SECCOMP_RET_ERRNO | EPERM, reason, sizeof reason),
                     SECCOMP_ALLOWED);
    /* glibc does without these, if they fail, but not if they kill. */
    assert_int_equal(check(SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS, reason, sizeof reason),
                     SECCOMP_ALLOWED);
    assert_int_equal(check(SYS_clone3, SECCOMP_RET_KILL_THREAD, reason, sizeof reason),
                     SECCOMP_DENIED);
}

static void follows_the_stricter(void **state)
{
    (void)state;
    static const uint32_t order[] = {
        SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO,
        SECCOMP_RET_USER_NOTIF,   SECCOMP_RET_TRACE,       SECCOMP_RET_LOG,  SECCOMP_RET_ALLOW};
    for (size_t i = 0; i + 1 < LENGTH(order); i++) {
        assert_int_equal(seccomp_filter_stricter(order[i], order[i + 1]), order[i]);
        assert_int_equal(seccomp_filter_stricter(order[i + 1], order[i]), order[i]);
    }
}

/* The kernel runs the same program for getppid with each argument, in a child; the exit status is
 * how many answers differ. */
static void agrees_with_the_kernel(void **state)
{
    (void)state;
    const struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NUMBER),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT(0)),
        BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 37),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 3),
        BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x10, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x7f),
        BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO | 1),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    const pid_t child = fork();
    if (child == 0) {
        const struct sock_fprog filter = {.len = LENGTH(program),
                                          .filter = (struct sock_filter *)(uintptr_t)program};
        int wrong = 0;
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
            _exit(0); /* not allowed here */
        for (long i = 0; i < 1000; i++) {
            const uint32_t ours = run(program, LENGTH(program), SYS_getppid, (uint64_t)i);
            const long kernels = syscall(SYS_getppid, i);
            const bool allowed = ours == SECCOMP_RET_ALLOW;
            if (allowed ? kernels <= 0 : kernels != -1 || errno != (int)(ours & SECCOMP_RET_DATA))
                wrong = wrong < 100 ? wrong + 1 : wrong;
        }
        _exit(wrong);
    }
    int status = 0;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decides),
        cmocka_unit_test(calculates),
        cmocka_unit_test(kills_what_is_no_filter),
        cmocka_unit_test(names_what_is_denied),
        cmocka_unit_test(follows_the_stricter),
        cmocka_unit_test(agrees_with_the_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
