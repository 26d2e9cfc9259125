/* The environment of a process whose threads change it while the agent's read it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/platform/environment.h"
#include "cmocka_all.h"

static void assert_reads(const char *name, const char *expected)
{
    char value[600];
    const bool found = environment_read(name, value, sizeof value);
    assert_int_equal(found, expected != NULL);
    if (expected)
        assert_string_equal(value, expected);
}

static void variables_are_read(void **state)
{
    (void)state;
    char long_value[800];
    memset(long_value, 'x', sizeof long_value - 1);
    long_value[sizeof long_value - 1] = '\0';
    setenv("TEST_A", "one", 1);
    setenv("TEST_AB", "", 1);
    setenv("TEST_LONG", long_value, 1);
    assert_reads("TEST_A", "one");
    assert_reads("TEST_AB", "");
    assert_reads("TEST_", NULL);
    long_value[511] = '\0';
    assert_reads("TEST_LONG", long_value);
    unsetenv("TEST_A");
    assert_reads("TEST_A", NULL);
    for (int i = 0; i < 300; i++) {
        char name[20];
        snprintf(name, sizeof name, "TEST_%d", i);
        setenv(name, name, 1);
    }
    assert_reads("TEST_299", "TEST_299");
}

/* A string that ends where nothing follows that could be read, and one that isn't there at all. */
static void the_end_of_memory_is_no_trouble(void **state)
{
    (void)state;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    assert_int_equal(mprotect(memory + page, page, PROT_NONE), 0);
    static const char text[] = "TEST_END=last";
    char *string = memory + page - sizeof text;
    memcpy(string, text, sizeof text);
    char **before = environ;
    char *made_up[] = {memory + page, memory + page - 1, string, NULL};
    environ = made_up;
    assert_reads("TEST_END", "last");
    assert_reads("TEST_OTHER", NULL);
    environ = (char **)(void *)(memory + page); /* as after it was freed */
    assert_reads("TEST_END", NULL);
    environ = NULL;
    assert_reads("TEST_END", NULL);
    environ = before;
    munmap(memory, 2 * page);
}

static atomic_bool ending;

static void *read_often(void *unused)
{
    (void)unused;
    char value[64];
    while (!atomic_load(&ending))
        environment_read("TEST_HOST", value, sizeof value);
    return NULL;
}

/* The array of a growing environment is moved, and what was there is used for something else. */
static void another_thread_may_change_it(void **state)
{
    (void)state;
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_often, NULL), 0);
    for (int i = 0; i < 100000; i++) {
        char name[20];
        snprintf(name, sizeof name, "V%d", i % 500);
        if (i % 500 == 0)
            clearenv();
        setenv(name, "x", 1);
        const size_t size = 64 + (size_t)(i * 8) % 5000;
        char *memory = malloc(size);
        memset(memory, 'A', size);
        free(memory);
    }
    atomic_store(&ending, true);
    pthread_join(reader, NULL);
}

/* Also in the agent's own threads, later: they get what the first call has found. */
static void the_agent_reads_it_once(void **state)
{
    (void)state;
    setenv("TANGO_HOST", "one:10000", 1);
    setenv("SKA_TANGO_EVENT_AGENT_SOCKET", "off", 1);
    assert_string_equal(environment_tango_host(), "one:10000");
    assert_string_equal(environment_get("SKA_TANGO_EVENT_AGENT_SOCKET"), "off");
    assert_null(environment_get("SKA_TANGO_EVENT_AGENT_PERF"));
    setenv("TANGO_HOST", "two:10000", 1);
    clearenv();
    assert_string_equal(environment_tango_host(), "one:10000");
    environment_ignore();
    assert_null(environment_get("SKA_TANGO_EVENT_AGENT_SOCKET"));
    assert_string_equal(environment_tango_host(), "one:10000");
    environment_replace("SKA_TANGO_EVENT_AGENT_LOG", "debug");
    assert_string_equal(environment_get("SKA_TANGO_EVENT_AGENT_LOG"), "debug");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_are_read),
        cmocka_unit_test(the_end_of_memory_is_no_trouble),
        cmocka_unit_test(another_thread_may_change_it),
        cmocka_unit_test(the_agent_reads_it_once),
    };
    unsetenv("SKA_TANGO_EVENT_AGENT_PERF");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
