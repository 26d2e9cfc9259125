/* Loading a library into other processes, and that nothing of theirs changes by it. */
#include "cmocka_all.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "injection_target.h"
#include "launcher/attach/injection.h"
#include "launcher/attach/threads.h"
#include "launcher/attach/tracing.h"

/* A library that no loader loads, so that it can be tried again and again. */
static const char bad[] = "no library";

static volatile int32_t *taken; /* the number that a target has taken for another file */
static char *library;
static size_t library_size;

static injection_result_t load(pid_t pid, const void *data, size_t size, char *error,
                               size_t error_size)
{
    injection_times_t times;
    return injection_load(pid, data, size, false, &times, error, error_size);
}

/* It may be that the machine is so busy that no thread is seen waiting. */
static void assert_loads(pid_t pid, const void *data, size_t size, injection_result_t expected,
                         const char *text)
{
    char error[512] = "";
    injection_result_t result = INJECTION_NO_THREAD;
    for (int i = 0; i < 20 && result == INJECTION_NO_THREAD; i++)
        result = load(pid, data, size, error, sizeof error);
    if (result != expected || strstr(error, text) == NULL)
        fail_msg("%d instead of %d: %s", (int)result, (int)expected, error);
}

static bool says_so(const injection_target_t *target)
{
    struct pollfd one = {.fd = target->says, .events = POLLIN};
    char byte = 0;
    return poll(&one, 1, 5000) == 1 && read(target->says, &byte, 1) == 1 && byte == 'L';
}

/* How often: more with INJECTION_TIMES. */
static int times_of(int usual)
{
    const char *text = getenv("INJECTION_TIMES");
    return text != NULL ? atoi(text) : usual;
}

/* ---- nothing changes ---- */

static void check_kind(target_kind_t kind)
{
    injection_target_t target = injection_target_start(kind, NULL);
    for (int i = 0; i < times_of(5); i++)
        assert_loads(target.pid, bad, sizeof bad, INJECTION_LOADER, "its loader says: ");
    assert_loads(target.pid, library, library_size, INJECTION_OK, "");
    assert_true(says_so(&target));
    const injection_report_t report = *target.report;
    assert_int_equal(injection_target_end(&target), 0);
    if (report.differences != 0)
        fail_msg("kind %d: differences %#x", kind, report.differences);
    if (report.wrong != 0)
        fail_msg("kind %d: returned %lld", kind, (long long)report.wrong);
    if (kind >= TARGET_EPOLL_LIMIT) /* no limit ends early; how late depends on the machine */
        assert_true(report.shortest_ms >= TARGET_LIMIT_MS - 1);
    else
        assert_int_equal(report.returned, 0);
}

static void nothing_changes(void **state)
{
    (void)state;
    for (target_kind_t kind = TARGET_EPOLL; kind <= TARGET_SLEEP_UNTIL; kind++)
        check_kind(kind);
}

static void wait_for(volatile const uint32_t *number, uint32_t value)
{
    for (int i = 0; i < 100000 && *number < value; i++)
        usleep(100);
    assert_int_equal(*number, value);
}

/* Each signal that comes while the thread is stopped, or in the code, is handled, and interrupts
 * the wait, as it would have done. */
static void signals_come_through(void **state)
{
    (void)state;
    injection_target_t target = injection_target_start(TARGET_POLL_HANDLER, NULL);
    const pid_t child = fork();
    if (child == 0) { /* attaches all the time */
        char error[512];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            load(target.pid, bad, sizeof bad, error, sizeof error);
    }
    const uint32_t count = (uint32_t)times_of(30);
    for (uint32_t i = 1; i <= count; i++) {
        kill(target.pid, SIGUSR1);
        wait_for(&target.report->handled, i);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_true(target.report->interrupted > 0);
    assert_int_equal(target.report->differences, 0);
    assert_int_equal(target.report->wrong, 0);
    assert_int_equal(injection_target_end(&target), 0);
}

/* A thread that takes the signal only while it waits has its wait interrupted by each, also by one
 * that comes just when it is stopped. */
static void no_wait_sleeps_through_a_signal(void **state)
{
    (void)state;
    injection_target_t target = injection_target_start(TARGET_PPOLL_HANDLER, NULL);
    const pid_t child = fork();
    if (child == 0) { /* attaches all the time */
        char error[512];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            load(target.pid, bad, sizeof bad, error, sizeof error);
    }
    const uint32_t count = (uint32_t)times_of(30) * 20;
    for (uint32_t i = 1; i <= count; i++) {
        kill(target.pid, SIGUSR1);
        wait_for(&target.report->interrupted, i);
        usleep((useconds_t)random() % 500);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(target.report->handled, count);
    assert_int_equal(target.report->differences, 0);
    assert_int_equal(target.report->wrong, 0);
    assert_int_equal(injection_target_end(&target), 0);
}

/* Puts a pipe where the library's file is: as who closes all descriptors, and opens others. */
static void *take_numbers(void *unused)
{
    int ends[2];
    (void)unused;
    if (pipe2(ends, O_CLOEXEC) != 0)
        _exit(1);
    for (int file = ends[1] + 1;; file = file < ends[1] + 8 ? file + 1 : ends[1] + 1) {
        char path[64];
        char target[64] = "";
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
        if (readlink(path, target, sizeof target - 1) <= 0 || strncmp(target, "/memfd:", 7) != 0)
            continue;
        if (dup2(ends[0], file) == file)
            *taken = file;
    }
    return NULL;
}

static void start_taking_numbers(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, take_numbers, NULL);
}

/* What has the file's number by then isn't closed, and not loaded: that would wait for ever. */
static void closes_nothing_else(void **state)
{
    (void)state;
    char path[64];
    char error[512] = "";
    char shown[64] = "";
    taken = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    injection_target_t target = injection_target_start(TARGET_EPOLL, start_taking_numbers);
    for (int i = 0; i < 20 && *taken == 0; i++)
        load(target.pid, bad, sizeof bad, error, sizeof error);
    assert_true(*taken > 0);
    for (int i = 0; i < 1000 && threads_status(target.pid, 0, "Threads", 10, 0) > 2; i++)
        usleep(10000);
    assert_int_equal(threads_status(target.pid, 0, "Threads", 10, 0), 2);
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)target.pid, (int)*taken);
    assert_true(readlink(path, shown, sizeof shown - 1) > 0);
    assert_memory_equal(shown, "pipe:", 5);
    assert_int_equal(target.report->differences, 0);
    assert_int_equal(injection_target_end(&target), 0);
    munmap((void *)taken, 4096);
}

/* The C library's signal for pthread_cancel, whose handler would end the thread wherever it is. */
enum { CANCEL_SIGNAL = 32 };

static uintptr_t own_stack;
static volatile uint32_t *cancelled; /* how often; and how often in the middle of a function's */

static void handle_cancel(int signal, siginfo_t *info, void *context)
{
    const ucontext_t *interrupted = context;
    const uintptr_t stack = (uintptr_t)interrupted->uc_mcontext.gregs[REG_RSP];
    (void)signal;
    (void)info;
    cancelled[0]++;
    if (stack > own_stack || own_stack - stack > 65536)
        cancelled[1]++;
}

void return_from_cancel(void);
__asm__(".text\n"
        "return_from_cancel:\n"
        "    mov $15, %eax\n" /* rt_sigreturn */
        "    syscall\n");

/* sigaction() doesn't do it for this signal. */
static void handle_cancel_signal(void)
{
    const struct {
        void (*handler)(int, siginfo_t *, void *);
        unsigned long flags;
        void (*restorer)(void);
        uint64_t mask;
    } action = {handle_cancel, SA_SIGINFO | 0x04000000 /* SA_RESTORER */, return_from_cancel, 0};
    own_stack = (uintptr_t)__builtin_frame_address(0);
    if (syscall(SYS_rt_sigaction, CANCEL_SIGNAL, &action, NULL, 8) != 0)
        _exit(1);
}

static void is_cancelled_nowhere_else(void **state)
{
    (void)state;
    cancelled = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    injection_target_t target = injection_target_start(TARGET_EPOLL, handle_cancel_signal);
    const pid_t child = fork();
    if (child == 0) { /* attaches all the time */
        char error[512];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            load(target.pid, bad, sizeof bad, error, sizeof error);
    }
    for (int i = 0; i < times_of(1) * 3000; i++) {
        syscall(SYS_tgkill, target.pid, target.pid, CANCEL_SIGNAL);
        usleep(200);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_true(cancelled[0] > 0);
    assert_int_equal(cancelled[1], 0);
    assert_int_equal(target.report->differences, 0);
    assert_int_equal(injection_target_end(&target), 0);
    munmap((void *)cancelled, 4096);
}

/* ---- attachers that are killed, and two at once ---- */

static pid_t attacher(pid_t pid, const void *data, size_t size)
{
    const pid_t child = fork();
    if (child == 0) {
        char error[512];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit((int)load(pid, data, size, error, sizeof error));
    }
    return child;
}

static void killed_at_any_moment(void **state)
{
    (void)state;
    static const target_kind_t kinds[] = {TARGET_EPOLL, TARGET_POLL_LIMIT, TARGET_PPOLL_HANDLER};
    srandom(42);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        injection_target_t target = injection_target_start(kinds[k], NULL);
        for (int i = 0; i < times_of(10); i++) {
            const pid_t child = attacher(target.pid, bad, sizeof bad);
            usleep((useconds_t)random() % 6000);
            kill(child, SIGKILL);
            waitpid(child, NULL, 0);
        }
        assert_loads(target.pid, library, library_size, INJECTION_OK, "");
        assert_true(says_so(&target));
        assert_int_equal(target.report->differences, 0);
        assert_int_equal(target.report->wrong, 0);
        assert_int_equal(injection_target_end(&target), 0);
    }
}

static void two_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < times_of(4); i++) {
        injection_target_t target = injection_target_start(TARGET_EPOLL, NULL);
        const pid_t one = attacher(target.pid, library, library_size);
        const pid_t other = attacher(target.pid, library, library_size);
        int results[2];
        waitpid(one, &results[0], 0);
        waitpid(other, &results[1], 0);
        assert_true(says_so(&target));
        const int first = WEXITSTATUS(results[0]);
        const int second = WEXITSTATUS(results[1]);
        if (!(first == INJECTION_OK && second == INJECTION_LOADED) &&
            !(first == INJECTION_LOADED && second == INJECTION_OK))
            fail_msg("%d and %d", first, second);
        assert_int_equal(injection_target_end(&target), 0);
    }
}

/* ---- what is refused ---- */

static void assert_checks(const injection_target_t *target, injection_result_t expected,
                          const char *text)
{
    char error[512] = "";
    const injection_result_t result = injection_check(target->pid, error, sizeof error);
    if (result != expected || strstr(error, text) == NULL)
        fail_msg("%d instead of %d: %s", result, expected, error);
}

static void refuses_unsafe_threads(void **state)
{
    (void)state;
    static const target_kind_t kinds[] = {TARGET_FUTEX, TARGET_IN_HANDLER};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        injection_target_t target = injection_target_start(kinds[k], NULL);
        assert_checks(&target, INJECTION_NO_THREAD, "none of its threads waits");
        char error[512];
        assert_int_equal(load(target.pid, library, library_size, error, sizeof error),
                         INJECTION_NO_THREAD);
        kill(target.pid, SIGKILL);
        assert_int_equal(injection_target_end(&target), -SIGKILL);
    }
}

static void refuses_stopped(void **state)
{
    (void)state;
    injection_target_t target = injection_target_start(TARGET_EPOLL, NULL);
    int status = 0;
    assert_checks(&target, INJECTION_OK, "");
    kill(target.pid, SIGSTOP);
    waitpid(target.pid, &status, WUNTRACED);
    assert_checks(&target, INJECTION_STOPPED, "kill -CONT");
    kill(target.pid, SIGCONT);
    assert_loads(target.pid, library, library_size, INJECTION_OK, "");
    assert_true(says_so(&target));
    assert_checks(&target, INJECTION_LOADED, "already");
    assert_int_equal(injection_target_end(&target), 0);
    assert_int_equal(injection_check(target.pid, (char[64]){""}, 64), INJECTION_NO_PROCESS);
}

/* As a debugger leaves one that is killed: at the loader's function for debuggers. */
static void leave_breakpoint(void)
{
    void *at = dlsym(RTLD_DEFAULT, "_dl_debug_state");
    void *page = (void *)((uintptr_t)at & ~(uintptr_t)4095);
    if (at == NULL || mprotect(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
        _exit(1);
    *(unsigned char *)at = 0xcc;
    if (mprotect(page, 8192, PROT_READ | PROT_EXEC) != 0)
        _exit(1);
}

static void refuses_breakpoints(void **state)
{
    (void)state;
    injection_target_t target = injection_target_start(TARGET_EPOLL, leave_breakpoint);
    assert_checks(&target, INJECTION_BREAKPOINTS, "has left breakpoints in it");
    assert_loads(target.pid, library, library_size, INJECTION_BREAKPOINTS, "left breakpoints");
    assert_int_equal(injection_target_end(&target), 0);
}

/* Ctrl-Z for us, while a thread of it stands still. */
static void stop_ourselves(pid_t thread, void *data)
{
    (void)thread;
    (void)data;
    kill(getpid(), SIGTSTP);
    usleep(100000);
}

static void goes_on_when_we_are_stopped(void **state)
{
    (void)state;
    injection_target_t target = injection_target_start(TARGET_POLL, NULL);
    const pid_t child = fork();
    double stopped_us = 0;
    int status = 0;
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setpgid(0, 0); /* whose parent is of another: otherwise SIGTSTP wouldn't stop it */
        signal(SIGTSTP, SIG_DFL);
        tracing_stop(target.pid, stop_ourselves, NULL, &stopped_us);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(threads_status(target.pid, 0, "TracerPid", 10, -1), 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(injection_target_end(&target), 0);
}

static void have_no_files(void)
{
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_cur = 3, .rlim_max = 3});
}

static void says_what_is_missing(void **state)
{
    (void)state;
    injection_target_t target = injection_target_start(TARGET_POLL, have_no_files);
    assert_loads(target.pid, library, library_size, INJECTION_NO_MEMORY_FILE,
                 "it can't make a memory file: Too many open files");
    assert_int_equal(injection_target_end(&target), 0);
}

static void deny_memory_files(void)
{
    struct sock_filter instructions[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = 4, .filter = instructions};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(1);
}

static void refuses_seccomp(void **state)
{
    (void)state;
    injection_target_t target = injection_target_start(TARGET_EPOLL, deny_memory_files);
    char error[512] = "";
    const injection_result_t result = injection_check(target.pid, error, sizeof error);
    if (result == INJECTION_SECCOMP)
        assert_string_equal(error, "its seccomp filters kill it for memfd_create");
    else /* without the right to read them */
        assert_int_equal(result, INJECTION_SECCOMP_UNKNOWN);
    assert_int_equal(load(target.pid, library, library_size, error, sizeof error), result);
    assert_int_equal(injection_target_end(&target), 0);
}

static void ends_meanwhile(void **state)
{
    (void)state;
    srandom(43);
    for (int i = 0; i < times_of(10); i++) {
        injection_target_t target = injection_target_start(TARGET_EPOLL, NULL);
        const pid_t child = attacher(target.pid, bad, sizeof bad);
        int status = 0;
        usleep((useconds_t)random() % 4000);
        kill(target.pid, SIGKILL);
        injection_target_end(&target);
        waitpid(child, &status, 0);
        assert_true(WIFEXITED(status));
    }
}

/* ---- all of it ---- */

static bool read_library(void)
{
    FILE *file = fopen(INJECTION_LIBRARY, "rbe");
    library = malloc(1 << 20);
    library_size = file != NULL && library != NULL ? fread(library, 1, 1 << 20, file) : 0;
    if (file != NULL)
        fclose(file);
    return library_size > 0;
}

static bool may_trace(void)
{
    const pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    const bool may = ptrace(PTRACE_SEIZE, child, 0, 0) == 0;
    kill(child, SIGKILL);
    waitpid(child, NULL, __WALL);
    return may;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_changes),
        cmocka_unit_test(signals_come_through),
        cmocka_unit_test(no_wait_sleeps_through_a_signal),
        cmocka_unit_test(closes_nothing_else),
        cmocka_unit_test(is_cancelled_nowhere_else),
        cmocka_unit_test(killed_at_any_moment),
        cmocka_unit_test(two_at_once),
        cmocka_unit_test(refuses_unsafe_threads),
        cmocka_unit_test(refuses_stopped),
        cmocka_unit_test(refuses_breakpoints),
        cmocka_unit_test(says_what_is_missing),
        cmocka_unit_test(refuses_seccomp),
        cmocka_unit_test(ends_meanwhile),
        cmocka_unit_test(goes_on_when_we_are_stopped),
    };
    if (!may_trace()) {
        puts("skipped: children may not be traced here");
        return 0;
    }
    if (!read_library())
        return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(library);
    return failed;
}
