/* What is said of a thread, in a process in which threads start and end all the time. */
#include "cmocka_all.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "launcher/attach/threads.h"

enum { SHORT_THREADS = 16, LOOKS = 20, PATIENCE_MS = 10000 };
static const double lasts_s = 2;

/* In memory that both processes have. */
typedef struct {
    atomic_int thread;  /* the one that lives on; 0: there is none */
    atomic_bool let_go; /* it is to end */
    atomic_bool next;   /* and another is to begin */
} shared_t;

static shared_t *shared;

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void *live_shortly(void *data)
{
    for (volatile uintptr_t i = (uintptr_t)data; i > 0; i--)
        ;
    return NULL;
}

static void *live_on(void *unused)
{
    (void)unused;
    atomic_store(&shared->thread, (int)syscall(SYS_gettid));
    while (!atomic_load(&shared->let_go))
        usleep(50);
    return NULL;
}

/* Threads that end while all are listed, each time before one that doesn't. */
static void start_threads(void)
{
    pthread_t threads[SHORT_THREADS + 1];
    for (size_t i = 0; i < SHORT_THREADS; i++)
        pthread_create(&threads[i], NULL, live_shortly, (void *)(uintptr_t)(random() % 200000));
    pthread_create(&threads[SHORT_THREADS], NULL, live_on, NULL);
    for (size_t i = 0; i <= SHORT_THREADS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&shared->thread, 0);
    while (!atomic_exchange(&shared->next, false))
        usleep(50);
}

/* A process that starts threads; if own_numbers, in a pid namespace of its own. -1: not possible
 * here. */
static pid_t start(bool own_numbers)
{
    int says[2];
    pid_t pid = -1;
    if (pipe(says) != 0)
        return -1;
    const pid_t child = fork();
    if (child == 0) {
        const bool ok = !own_numbers || unshare(CLONE_NEWPID) == 0 ||
                        unshare(CLONE_NEWUSER | CLONE_NEWPID) == 0;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        const pid_t other = ok ? fork() : -1;
        if (other == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;)
                start_threads();
        }
        if (write(says[1], &other, sizeof other) == sizeof other && other > 0)
            waitpid(other, NULL, 0);
        _exit(0);
    }
    close(says[1]);
    if (read(says[0], &pid, sizeof pid) != sizeof pid)
        pid = -1;
    close(says[0]);
    return pid;
}

static int wait_for_thread(void)
{
    int thread = 0;
    for (int i = 0; i < PATIENCE_MS && thread == 0; i++) {
        thread = atomic_load(&shared->thread);
        if (thread == 0)
            usleep(1000);
    }
    assert_true(thread > 0);
    return thread;
}

static void assert_ends(pid_t pid, int thread)
{
    wait_t wait;
    atomic_store(&shared->let_go, true);
    for (int i = 0; i < PATIENCE_MS && threads_state(pid, thread, &wait) != THREAD_GONE; i++)
        usleep(1000);
    assert_int_equal(threads_state(pid, thread, &wait), THREAD_GONE);
    while (atomic_load(&shared->thread) != 0)
        usleep(50);
    atomic_store(&shared->let_go, false);
    atomic_store(&shared->next, true);
}

static void check(bool own_numbers)
{
    wait_t wait;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const pid_t pid = start(own_numbers);
    if (pid < 0) {
        puts("skipped: no pid namespaces here");
        return;
    }
    const double began = now_s();
    while (now_s() - began < lasts_s) {
        const int thread = wait_for_thread();
        for (int i = 0; i < LOOKS; i++)
            assert_int_not_equal(threads_state(pid, thread, &wait), THREAD_GONE);
        assert_ends(pid, thread);
    }
    kill(pid, SIGKILL);
    wait_t unused;
    for (int i = 0; i < PATIENCE_MS && threads_state(pid, 1, &unused) != THREAD_GONE; i++)
        usleep(1000);
    assert_int_equal(threads_state(pid, 1, &unused), THREAD_GONE);
    while (wait4(-1, NULL, 0, NULL) > 0)
        ;
    munmap(shared, sizeof *shared);
}

static void no_living_thread_is_gone(void **state)
{
    (void)state;
    check(false);
}

static void nor_with_other_numbers(void **state)
{
    (void)state;
    check(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_living_thread_is_gone),
        cmocka_unit_test(nor_with_other_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
