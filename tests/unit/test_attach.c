/*
 * attach(), from several callers and at several times: to the installed libtango, which is loaded
 * but runs no server. A process attaches once, so each test has a process of its own.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/answer/commands.h"
#include "agent/counts/counts.h"
#include "agent/entry/attach.h"
#include "agent/entry/service.h"
#include "agent/platform/leaving.h"
#include "agent/tango/command_gate.h"
#include "agent/watch/original.h"
#include "agent/watch/publishing.h"
#include "cmocka_all.h"

/* In the other process: ends it, and with it the test. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: it should be that %s\n", __FILE__, __LINE__, #condition);      \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static void in_another_process(void (*test)(void))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        unsetenv("SKA_TANGO_EVENT_AGENT");
        test();
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Loads libtango, as a plugin may do it, and finds it. */
static libtango_server_init_t *load_libtango(elf_image_t *libtango)
{
    CHECK(dlopen("libtango.so", RTLD_NOW | RTLD_LOCAL));
    libtango_server_init_t *server_init = libtango_find_server_init(NULL, NULL, load_libtango);
    CHECK(server_init && libtango_find(libtango, server_init));
    return server_init;
}

static void *sends_by(const elf_image_t *libtango)
{
    return libtango_imported(libtango, LIBTANGO_ZMQ_MSG_SEND);
}

static void find_one_later(void)
{
    elf_image_t libtango;
    CHECK(attach(NULL) == ATTACH_NO_LIBTANGO);
    libtango_server_init_t *server_init = load_libtango(&libtango);
    void *before = sends_by(&libtango);
    CHECK(before && before != (void *)publishing_msg_send);
    CHECK(attach(NULL) == ATTACH_WATCHING);
    CHECK(sends_by(&libtango) == (void *)publishing_msg_send);
    CHECK((void *)original.msg_send == before);
    /* Again changes nothing. */
    CHECK(attach(server_init) == ATTACH_WATCHING);
    CHECK(attach(NULL) == ATTACH_WATCHING);
    CHECK(sends_by(&libtango) == (void *)publishing_msg_send);
    CHECK((void *)original.msg_send == before);
}

static void a_process_without_libtango_may_get_one(void **state)
{
    (void)state;
    in_another_process(find_one_later);
}

enum { THREADS = 8, SWITCHES = 100 };

static pthread_barrier_t barrier;

/* When its call returns, each caller has to find everything done, not only the one that did it. */
static void *attach_with_others(void *unused)
{
    (void)unused;
    pthread_barrier_wait(&barrier);
    CHECK(attach(NULL) == ATTACH_WATCHING);
    CHECK(original.libtango && sends_by(original.libtango) == (void *)publishing_msg_send);
    CHECK(original.unsubscribe_event && original.push_event);
    return NULL;
}

static void attach_in_threads(void)
{
    elf_image_t libtango;
    load_libtango(&libtango);
    void *before = sends_by(&libtango);
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, attach_with_others, NULL) == 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK((void *)original.msg_send == before);
}

static void several_threads_may_attach_at_once(void **state)
{
    (void)state;
    in_another_process(attach_in_threads);
}

/* Their slots are in the same pages, which are writable for a moment only. */
static void *switch_often(void *unused)
{
    (void)unused;
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < SWITCHES; i++) {
        CHECK(attach_stop());
        CHECK(attach_resume());
        attach_renew();
    }
    return NULL;
}

static void *use_gate_often(void *unused)
{
    (void)unused;
    pthread_barrier_wait(&barrier);
    command_gate_begin(original.libtango);
    for (int i = 0; i < 100 * SWITCHES; i++) {
        command_gate_close_with_monitor();
        command_gate_open();
    }
    command_gate_end();
    return NULL;
}

static void switch_beside_the_gate(void)
{
    elf_image_t libtango;
    pthread_t threads[2];
    CHECK(attach(load_libtango(&libtango)) == ATTACH_WATCHING);
    pthread_barrier_init(&barrier, NULL, 2);
    CHECK(pthread_create(&threads[0], NULL, switch_often, NULL) == 0);
    CHECK(pthread_create(&threads[1], NULL, use_gate_often, NULL) == 0);
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK(sends_by(&libtango) == (void *)publishing_msg_send);
}

static void several_threads_may_write_slots_at_once(void **state)
{
    (void)state;
    in_another_process(switch_beside_the_gate);
}

static void no_server_init(void *util, bool with_window)
{
    (void)util;
    (void)with_window;
}

static void attach_to_two(void)
{
    elf_image_t libtango;
    CHECK(attach(load_libtango(&libtango)) == ATTACH_WATCHING);
    CHECK(attach(no_server_init) == ATTACH_ANOTHER);
    CHECK(attach(NULL) == ATTACH_WATCHING);
}

static void only_the_first_is_watched(void **state)
{
    (void)state;
    in_another_process(attach_to_two);
}

/* And doesn't keep the agent from the libtango that comes later. */
static void attach_to_this_program(void)
{
    elf_image_t libtango;
    CHECK(attach(no_server_init) == ATTACH_NO_LIBTANGO);
    CHECK(attach(NULL) == ATTACH_NO_LIBTANGO);
    CHECK(attach(load_libtango(&libtango)) == ATTACH_WATCHING);
    CHECK(sends_by(&libtango) == (void *)publishing_msg_send);
    CHECK(attach(no_server_init) == ATTACH_ANOTHER);
}

static void what_is_no_libtango_is_left_alone(void **state)
{
    (void)state;
    in_another_process(attach_to_this_program);
}

static void attach_switched_off(void)
{
    elf_image_t libtango;
    setenv("SKA_TANGO_EVENT_AGENT", "off", 1);
    CHECK(attach(NULL) == ATTACH_NO_LIBTANGO);
    unsetenv("SKA_TANGO_EVENT_AGENT"); /* it was read at first */
    load_libtango(&libtango);
    void *before = sends_by(&libtango);
    CHECK(attach(NULL) == ATTACH_SWITCHED_OFF);
    CHECK(attach(NULL) == ATTACH_SWITCHED_OFF);
    CHECK(sends_by(&libtango) == before);
}

static void switched_off_it_touches_nothing(void **state)
{
    (void)state;
    in_another_process(attach_switched_off);
}

/* Without a server, the agent waits for the admin device, and says so. */
static void add_commands_too_early(void)
{
    elf_image_t libtango;
    setenv("SKA_TANGO_EVENT_AGENT_LOG", "info", 1);
    FILE *said = tmpfile();
    CHECK(said && dup2(fileno(said), STDERR_FILENO) == STDERR_FILENO);
    commands_add();
    CHECK(attach(load_libtango(&libtango)) == ATTACH_WATCHING);
    commands_add();
    commands_add();
    char text[4096];
    size_t size = (size_t)pread(fileno(said), text, sizeof text - 1, 0);
    CHECK(size < sizeof text);
    text[size] = '\0';
    static const char waits[] = "no admin device yet";
    const char *first = strstr(text, waits);
    CHECK(first && !strstr(first + 1, waits));
}

static void commands_are_added_after_attaching(void **state)
{
    (void)state;
    in_another_process(add_commands_too_early);
}

static void *stay_in_libtango(void *unused)
{
    (void)unused;
    CHECK(leaving_not_yet());
    pthread_barrier_wait(&barrier);
    pause();
    return NULL;
}

static void wait_for_child(pid_t child)
{
    struct timespec moment = {.tv_nsec = 10000000};
    int status = -1;
    int waits = 0;
    while (waitpid(child, &status, WNOHANG) == 0 && waits++ < 300)
        nanosleep(&moment, NULL);
    if (waits >= 300)
        kill(child, SIGKILL);
    CHECK(status == 0);
}

/* Before the agent's socket is opened, too: adding the commands may take seconds. */
static void fork_while_commands_are_added(void)
{
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    service_prepare();
    CHECK(pthread_create(&thread, NULL, stay_in_libtango, NULL) == 0);
    pthread_barrier_wait(&barrier);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        exit(0);
    wait_for_child(child);
}

static void a_child_waits_for_no_thread_of_its_parents(void **state)
{
    (void)state;
    in_another_process(fork_while_commands_are_added);
}

static void *stay_in_the_list(void *unused)
{
    (void)unused;
    CHECK(pthread_mutex_lock(&agent_counts.subscriptions.mutex) == 0);
    pthread_barrier_wait(&barrier);
    pause();
    return NULL;
}

/* As while the socket's thread is answering. */
static void fork_while_subscriptions_are_listed(void)
{
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    service_prepare();
    CHECK(pthread_create(&thread, NULL, stay_in_the_list, NULL) == 0);
    pthread_barrier_wait(&barrier);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        subscriptions_removed(&agent_counts.subscriptions, 1);
        _exit(0);
    }
    wait_for_child(child);
}

static void a_child_may_subscribe_while_its_parent_is_asked(void **state)
{
    (void)state;
    in_another_process(fork_while_subscriptions_are_listed);
}

/* And the first one after that says nothing of how long it was off. */
static void sample_before_it_is_switched_off(void)
{
    elf_image_t libtango;
    samples_t *samples = &agent_counts.samples;
    samples_reader_t reader = {0};
    push_sample_t out[RING_SIZE];
    const push_sample_t sample = {0};
    CHECK(attach(load_libtango(&libtango)) == ATTACH_WATCHING);
    samples_enable(samples, true);
    samples_push(samples, &sample);
    CHECK(samples_read_pushed(samples, &reader, out) == 1);
    samples_push(samples, &sample);
    const uint32_t generation = samples_generation(samples);
    CHECK(attach_stop() && attach_resume());
    CHECK(samples_read_pushed(samples, &reader, out) == 0);
    CHECK(samples_generation(samples) == generation + 1 && samples_enabled(samples));
}

static void samples_of_before_are_not_given_out(void **state)
{
    (void)state;
    in_another_process(sample_before_it_is_switched_off);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_without_libtango_may_get_one),
        cmocka_unit_test(several_threads_may_attach_at_once),
        cmocka_unit_test(several_threads_may_write_slots_at_once),
        cmocka_unit_test(samples_of_before_are_not_given_out),
        cmocka_unit_test(only_the_first_is_watched),
        cmocka_unit_test(what_is_no_libtango_is_left_alone),
        cmocka_unit_test(switched_off_it_touches_nothing),
        cmocka_unit_test(commands_are_added_after_attaching),
        cmocka_unit_test(a_child_waits_for_no_thread_of_its_parents),
        cmocka_unit_test(a_child_may_subscribe_while_its_parent_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
