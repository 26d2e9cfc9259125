/*
 * The poller with servers of our own: this file stands in for the Tango client library. A device is
 * named after what it does; see the table.
 */
#include "cmocka_all.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "monitor/poller.h"
#include "response/memory.h"
#include "tango/tango_client.h"

#define TIMEOUT 0.3

static const char perf_on[] = "{\"version\":1,\"client\":null,"
                              "\"server\":{\"event_counters\":{},\"perf\":[]}}";
static const char perf_off[] = "{\"version\":1,\"client\":null,"
                               "\"server\":{\"event_counters\":{},\"perf\":null}}";

/* What is set for a test; all servers share it. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool hang;   /* "hanging" hangs in its query */
    bool dead;   /* "mortal" is not running */
    bool perf;   /* is on in "mortal" */
    int starts;  /* how often performance monitoring was started anywhere */
    int stops;   /* and stopped */
    int queries; /* and "hanging" asked */
} world = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

struct tango_device {
    char *name;
};

static bool fails(tango_error_t *error, tango_error_kind_t kind, const char *text)
{
    error->kind = kind;
    error->text = memory_string(text);
    return false;
}

bool tango_client_find_admin(const char *name, tango_admin_t *admin, tango_error_t *error)
{
    *error = (tango_error_t){0};
    *admin = (tango_admin_t){0};
    if (strcmp(name, "missing") == 0)
        return fails(error, TANGO_ERROR_NO_DEVICE, "the database has no such device");
    /* "good/1" and "good/2" are devices of the server "good". */
    admin->name = memory_format("dserver/%.*s/1", (int)strcspn(name, "/"), name);
    admin->identity = memory_string(admin->name);
    return true;
}

void tango_admin_clear(tango_admin_t *admin)
{
    free(admin->name);
    free(admin->identity);
    *admin = (tango_admin_t){0};
}

void tango_error_clear(tango_error_t *error)
{
    free(error->text);
    *error = (tango_error_t){0};
}

tango_device_t *tango_device_new(const char *name, tango_error_t *error)
{
    *error = (tango_error_t){0};
    tango_device_t *self = memory_new(1, sizeof *self);
    self->name = memory_string(name);
    return self;
}

void tango_device_destroy(tango_device_t **self)
{
    if (!*self)
        return;
    free((*self)->name);
    free(*self);
    *self = NULL;
}

static bool is(const tango_device_t *self, const char *kind)
{
    return strstr(self->name, kind) != NULL;
}

bool tango_device_event_commands(tango_device_t *self, tango_event_commands_t *commands,
                                 tango_error_t *error)
{
    *error = (tango_error_t){0};
    *commands =
        (tango_event_commands_t){.query_event_system = !is(self, "bare"),
                                 .query_event_agent = is(self, "agent"),
                                 .enable = is(self, "good") || is(self, "mortal"),
                                 .start_and_stop = is(self, "agent") || is(self, "hanging")};
    return true;
}

char *tango_device_call_string(tango_device_t *self, const char *command, size_t *size,
                               tango_error_t *error)
{
    *error = (tango_error_t){0};
    *size = 0;
    const char *text = perf_on;
    pthread_mutex_lock(&world.lock);
    if (is(self, "hanging")) {
        world.queries++;
        while (world.hang)
            pthread_cond_wait(&world.changed, &world.lock);
    } else if (is(self, "mortal")) {
        text = world.dead ? NULL : world.perf ? perf_on : perf_off;
    } else if (is(self, "broken")) {
        text = "{\"version\":";
    } else if (is(self, "agent") && strcmp(command, "QueryEventAgent") != 0) {
        text = NULL;
    }
    pthread_mutex_unlock(&world.lock);
    if (!text) {
        fails(error, TANGO_ERROR_NOT_RUNNING, "its server is not running");
        return NULL;
    }
    *size = strlen(text);
    return memory_string(text);
}

static bool set_perf(tango_device_t *self, bool on, tango_error_t *error)
{
    *error = (tango_error_t){0};
    pthread_mutex_lock(&world.lock);
    if (is(self, "mortal"))
        world.perf = on;
    if (on)
        world.starts++;
    else
        world.stops++;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.lock);
    return true;
}

bool tango_device_call(tango_device_t *self, const char *command, tango_error_t *error)
{
    return set_perf(self, strcmp(command, "StartEventSystemPerfMon") == 0, error);
}

bool tango_device_call_boolean(tango_device_t *self, const char *command, bool argument,
                               tango_error_t *error)
{
    assert_string_equal(command, "EnableEventSystemPerfMon");
    return set_perf(self, argument, error);
}

/* ---- the tests ---- */

static char said[4000];

static void listen(void *context, poller_level_t level, const char *line)
{
    (void)context;
    assert_null(strchr(line, '\n'));
    strncat(said, level == POLLER_NOTE ? "note: " : "warning: ", sizeof said - strlen(said) - 1);
    strncat(said, line, sizeof said - strlen(said) - 1);
    strncat(said, "\n", sizeof said - strlen(said) - 1);
}

static poller_t *new_poller(char *const *devices, bool perf)
{
    said[0] = '\0';
    size_t count = 0;
    while (devices[count])
        count++;
    return poller_new(devices, count, TIMEOUT, perf, listen, NULL);
}

static void set(bool *flag, bool value)
{
    pthread_mutex_lock(&world.lock);
    *flag = value;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.lock);
}

/* Waits until a counter of the world has at least this value. */
static void wait_for_count(const int *counter, int value)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 20;
    pthread_mutex_lock(&world.lock);
    int why = 0;
    while (*counter < value && why == 0)
        why = pthread_cond_timedwait(&world.changed, &world.lock, &deadline);
    assert_true(*counter >= value);
    pthread_mutex_unlock(&world.lock);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Ends a poller whose workers may need a moment to come home. */
static void end(poller_t **poller)
{
    snapshot_t *snapshot = NULL;
    const double deadline = now() + 20;
    bool busy = true;
    while (busy && now() < deadline) {
        snapshot = poller_poll(*poller, -1);
        busy = false;
        for (size_t i = 0; i < snapshot->reply_count; i++)
            busy |= snapshot->replies[i].error && strstr(snapshot->replies[i].error, "asked again");
        snapshot_destroy(&snapshot);
    }
    assert_false(busy);
    /* A worker delivers a little before it is idle. */
    (void)poller_destroy(poller);
}

static void test_bad_devices_are_all_told(void **state)
{
    (void)state;
    char *devices[] = {"missing", "good/1", "bare/1", "bare/2", NULL};
    poller_t *poller = new_poller(devices, false);
    assert_false(poller_connect(poller, -1));
    assert_string_equal(
        said,
        "warning: missing: the database has no such device: check the name\n"
        "warning: dserver/bare/1: has neither QueryEventAgent nor QueryEventSystem: start it with "
        "the agent: ska-tango-event-agent run -- COMMAND (see docs/, or "
        "ska-tango-event-monitor(1))\n");
    poller_destroy(&poller);
}

static void test_perf_needs_commands(void **state)
{
    (void)state;
    char *devices[] = {"broken", NULL};
    poller_t *poller = new_poller(devices, true);
    assert_false(poller_connect(poller, -1));
    assert_non_null(strstr(said, "leave out --monitor-perf"));
    poller_destroy(&poller);
}

static void test_devices_of_one_server(void **state)
{
    (void)state;
    char *devices[] = {"good/1", "agent", "good/2", "good/3", NULL};
    poller_t *poller = new_poller(devices, false);
    assert_true(poller_connect(poller, -1));
    assert_string_equal(
        said, "note: dserver/good/1: the server of good/1, good/2, good/3; it is asked once\n");
    snapshot_t *snapshot = poller_poll(poller, -1);
    assert_true(snapshot->reply_count == 2);
    assert_string_equal(snapshot->replies[0].server, "dserver/good/1");
    assert_string_equal(snapshot->replies[1].server, "dserver/agent/1");
    assert_non_null(snapshot->replies[0].response);
    assert_non_null(snapshot->replies[1].response);
    snapshot_destroy(&snapshot);
    end(&poller);
}

static void test_one_that_hangs_delays_nobody(void **state)
{
    (void)state;
    char *devices[] = {"hanging", "good", "broken", NULL};
    poller_t *poller = new_poller(devices, false);
    assert_true(poller_connect(poller, -1));
    world.queries = 0;
    set(&world.hang, true);
    const double start = now();
    snapshot_t *snapshot = poller_poll(poller, -1);
    assert_true(now() - start >= TIMEOUT && now() - start < 10 * TIMEOUT);
    assert_string_equal(snapshot->replies[0].error, "no answer within 0.3 s");
    assert_null(snapshot->replies[0].data);
    assert_non_null(snapshot->replies[1].response);
    assert_null(snapshot->replies[1].error);
    assert_non_null(snapshot->replies[2].data); /* as it came, to be recorded */
    assert_non_null(strstr(snapshot->replies[2].error, "can't read its answer: "));
    poller_remember(poller, &snapshot);
    assert_null(snapshot);

    snapshot = poller_poll(poller, -1);
    assert_non_null(strstr(snapshot->replies[0].error, "not asked again"));
    assert_non_null(snapshot->replies[1].response);
    assert_int_equal(world.queries, 1);
    snapshot_destroy(&snapshot);

    set(&world.hang, false);
    end(&poller);
}

static void test_the_last_answer_is_kept(void **state)
{
    (void)state;
    char *devices[] = {"mortal", "broken", NULL};
    poller_t *poller = new_poller(devices, false);
    assert_true(poller_connect(poller, -1));
    assert_null(poller_previous(poller));
    snapshot_t *snapshot = poller_poll(poller, -1);
    poller_remember(poller, &snapshot);
    const response_t *last = poller_previous(poller)->replies[0].response;
    assert_non_null(last);
    const long first = poller_previous(poller)->time.tv_nsec;
    assert_null(poller_previous(poller)->replies[1].response);
    assert_null(poller_previous(poller)->replies[1].error);
    set(&world.dead, true);
    snapshot = poller_poll(poller, -1);
    assert_string_equal(snapshot->replies[0].error, "its server is not running");
    const long second = snapshot->time.tv_nsec;
    poller_remember(poller, &snapshot);
    assert_ptr_equal(poller_previous(poller)->replies[0].response, last);
    assert_true(poller_previous(poller)->time.tv_nsec == second);
    /* Rates are counted from when that answer came. */
    assert_true(poller_previous(poller)->replies[0].time.tv_nsec == first);
    set(&world.dead, false);
    end(&poller);
}

static void test_perf_starts_again_after_a_restart(void **state)
{
    (void)state;
    char *devices[] = {"mortal", "agent", NULL};
    poller_t *poller = new_poller(devices, true);
    assert_true(poller_connect(poller, -1));
    world.starts = 0;
    world.stops = 0;
    poller_start_perf(poller, -1);
    assert_string_equal(said, "");
    assert_int_equal(world.starts, 2);
    snapshot_t *snapshot = poller_poll(poller, -1);
    snapshot_destroy(&snapshot);
    set(&world.perf, false);
    snapshot = poller_poll(poller, -1);
    snapshot_destroy(&snapshot);
    wait_for_count(&world.starts, 3);
    assert_true(poller_stop_perf(poller, -1));
    assert_int_equal(world.stops, 2);
    assert_false(world.perf);
    end(&poller);
}

static void test_stopping_one_that_hangs(void **state)
{
    (void)state;
    char *devices[] = {"hanging", "good", NULL};
    poller_t *poller = new_poller(devices, true);
    assert_true(poller_connect(poller, -1));
    poller_start_perf(poller, -1);
    set(&world.hang, true);
    snapshot_t *snapshot = poller_poll(poller, -1);
    snapshot_destroy(&snapshot);
    world.stops = 0;
    assert_false(poller_stop_perf(poller, -1));
    assert_non_null(strstr(said, "warning: dserver/hanging/1: performance monitoring may still be "
                                 "on: no answer: "));
    assert_int_equal(world.stops, 1);
    /* The stop waits behind the query that hangs, and is done if that ever ends. */
    set(&world.hang, false);
    wait_for_count(&world.stops, 2);
    end(&poller);
}

static void test_called_off(void **state)
{
    (void)state;
    char *devices[] = {"hanging", "good", NULL};
    poller_t *poller = new_poller(devices, false);
    assert_true(poller_connect(poller, -1));
    int stop[2];
    assert_int_equal(pipe(stop), 0);
    set(&world.hang, true);
    assert_int_equal(write(stop[1], "x", 1), 1);
    const double start = now();
    snapshot_t *snapshot = poller_poll(poller, stop[0]);
    assert_true(now() - start < TIMEOUT);
    assert_string_equal(snapshot->replies[0].error, "not waited for: the monitor was told to stop");
    snapshot_destroy(&snapshot);
    set(&world.hang, false);
    end(&poller);

    /* And while it connects: no words. */
    poller = new_poller(devices, false);
    (void)poller_connect(poller, stop[0]);
    assert_string_equal(said, "");
    (void)poller_destroy(&poller);
    close(stop[0]);
    close(stop[1]);
}

static void test_never_connected(void **state)
{
    (void)state;
    char *devices[] = {"good", NULL};
    poller_t *poller = new_poller(devices, false);
    assert_true(poller_destroy(&poller));
    assert_null(poller);
    assert_true(poller_destroy(&poller));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_devices_are_all_told),
        cmocka_unit_test(test_perf_needs_commands),
        cmocka_unit_test(test_devices_of_one_server),
        cmocka_unit_test(test_one_that_hangs_delays_nobody),
        cmocka_unit_test(test_the_last_answer_is_kept),
        cmocka_unit_test(test_perf_starts_again_after_a_restart),
        cmocka_unit_test(test_stopping_one_that_hangs),
        cmocka_unit_test(test_called_off),
        cmocka_unit_test(test_never_connected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
