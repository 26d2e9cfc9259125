/* Whether nobody can be reading a device's list of commands any more. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "agent/platform/clocks.h"
#include "agent/tango/command_gate.h"
#include "cmocka_all.h"

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static bool closes(void)
{
    const bool closed = command_gate_close();
    command_gate_open();
    return closed;
}

static pthread_t start(void *(*run)(void *), void *argument)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run, argument), 0);
    return thread;
}

static atomic_int stuck_thread;
static atomic_bool ending;

/* Whoever waits as after vfork() is in the state of one that waits for a page of its memory: D. */
static void *get_stuck(void *pipe_end)
{
    atomic_store(&stuck_thread, gettid());
    if (syscall(SYS_clone, CLONE_VFORK | SIGCHLD, NULL, NULL, NULL, NULL) == 0) {
        struct pollfd until = {.fd = *(const int *)pipe_end, .events = POLLIN};
        _exit(poll(&until, 1, 20000) < 0); /* ends in any case: the test may have failed */
    }
    while (!atomic_load(&ending))
        pause_ms(1);
    return NULL;
}

static char state_of(int thread)
{
    char path[64];
    char state = '?';
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%*d %*s %c", &state) != 1)
        state = '?';
    if (file)
        fclose(file);
    return state;
}

static void *end_at_once(void *unused)
{
    return unused;
}

static void *start_and_end_threads(void *unused)
{
    pthread_t thread;
    while (!atomic_load(&ending))
        if (pthread_create(&thread, NULL, end_at_once, NULL) == 0)
            pthread_join(thread, NULL);
    return unused;
}

static void a_thread_that_waits_for_its_memory_may_be_reading(void **state)
{
    (void)state;
    int ends[2];
    atomic_store(&ending, false);
    assert_int_equal(pipe(ends), 0);
    pthread_t stuck = start(get_stuck, &ends[0]);
    for (int i = 0; i < 5000 && state_of(atomic_load(&stuck_thread)) != 'D'; i++)
        pause_ms(1);
    assert_int_equal(state_of(atomic_load(&stuck_thread)), 'D');
    assert_false(closes());
    pthread_t busy = start(start_and_end_threads, NULL);
    for (int i = 0; i < 3; i++)
        assert_false(closes());
    assert_int_equal(write(ends[1], "x", 1), 1); /* it goes on */
    atomic_store(&ending, true);
    pthread_join(busy, NULL);
    pthread_join(stuck, NULL);
    close(ends[0]);
    close(ends[1]);
    assert_true(closes());
}

/* For the allocator's lock, say, which somebody holds who gets no processor. */
static void a_thread_may_wait_for_some_milliseconds_and_go_on_reading(void **state)
{
    (void)state;
    atomic_store(&ending, false);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    pthread_t asleep = start(get_stuck, &ends[0]);
    for (int i = 0; i < 5000 && state_of(atomic_load(&stuck_thread)) != 'S'; i++)
        pause_ms(1);
    const int64_t begun_ns = clock_monotonic_ns();
    assert_true(closes());
    assert_true(clock_monotonic_ns() - begun_ns >= 10 * INT64_C(1000000));
    atomic_store(&ending, true);
    pthread_join(asleep, NULL);
    close(ends[0]);
    close(ends[1]);
}

static void *work(void *unused)
{
    while (!atomic_load(&ending))
        continue;
    return unused;
}

static void threads_that_work_have_read(void **state)
{
    (void)state;
    atomic_store(&ending, false);
    pthread_t working = start(work, NULL);
    pthread_t busy = start(start_and_end_threads, NULL);
    int closed = 0;
    for (int i = 0; i < 20; i++)
        closed += closes();
    assert_true(closed > 0);
    atomic_store(&ending, true);
    pthread_join(working, NULL);
    pthread_join(busy, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_that_waits_for_its_memory_may_be_reading),
        cmocka_unit_test(a_thread_may_wait_for_some_milliseconds_and_go_on_reading),
        cmocka_unit_test(threads_that_work_have_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
