/* The poller with servers that are functions, so that each can hang for as long as the test wants.
 */
#include "cmocka_all.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/monotonic.h"
#include "fake_servers.h"
#include "monitor/poll/poller.h"

#define TIMEOUT_S 0.2

enum { SLOW, GOOD, SERVERS };
static fake_server_t *slow;
static fake_server_t *good;

/* What the poller said since take_said(), a line each, with "note: " or "warning: " before it. */
static char *said;

static void remember(void *context, poller_level_t level, const char *line)
{
    (void)context;
    char *longer =
        memory_format("%s%s: %s\n", said, level == POLLER_NOTE ? "note" : "warning", line);
    free(said);
    said = longer;
}

static void assert_said(const char *expected)
{
    assert_string_equal(said, expected);
    *said = '\0';
}

static poller_t *poller_of(const target_t *targets, size_t count, double timeout, bool perf)
{
    char *error = NULL;
    poller_t *poller = poller_new(targets, count, timeout, perf, remember, NULL, &error);
    assert_null(error);
    return poller;
}

static poller_t *new_poller(void)
{
    const target_t targets[SERVERS] = {{.name = (char *)"slow/pub/1"},
                                       {.name = (char *)"good/pub/1"}};
    return poller_of(targets, SERVERS, TIMEOUT_S, false);
}

/* For servers that answer: nothing here takes as long as that. */
#define LONG_TIMEOUT_S 20

/* Of the two servers, with or without performance monitoring; connected. */
static poller_t *connected_poller(bool perf)
{
    const target_t targets[SERVERS] = {{.name = (char *)"slow/pub/1"},
                                       {.name = (char *)"good/pub/1"}};
    poller_t *poller = poller_of(targets, SERVERS, LONG_TIMEOUT_S, perf);
    assert_true(poller_connect(poller, -1));
    assert_true(poller_settle(poller));
    return poller;
}

/* Polls, and expects an answer of each server. */
static void assert_all_answer(poller_t *poller)
{
    snapshot_t *snapshot = poller_poll(poller, -1);
    for (size_t i = 0; i < snapshot->reply_count; i++) {
        assert_null(snapshot->replies[i].error);
        assert_non_null(snapshot->replies[i].response);
    }
    snapshot_destroy(&snapshot);
}

static void assert_no_answer_since(const snapshot_t *snapshot)
{
    assert_null(snapshot->replies[SLOW].response);
    assert_memory_equal(snapshot->replies[SLOW].error, "no answer since ", 16);
    assert_non_null(snapshot->replies[GOOD].response);
}

static int setup(void **state)
{
    (void)state;
    fake_servers_clear();
    slow = fake_server_new("slow/pub/1", "dserver/slow/1");
    good = fake_server_new("good/pub/1", "dserver/good/1");
    said = memory_string("");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(said);
    return 0;
}

static void test_one_that_hangs_is_waited_for_once(void **state)
{
    (void)state;
    poller_t *poller = new_poller();
    assert_true(poller_connect(poller, -1));
    assert_true(poller_settle(poller));
    fake_server_hang(slow, FAKE_QUERY, true);
    snapshot_t *snapshot = poller_poll(poller, -1);
    assert_string_equal(snapshot->replies[SLOW].error, "no answer within 0.2 s");
    snapshot_destroy(&snapshot);

    /* So many polls would take 20 seconds. */
    const double start = monotonic_seconds();
    for (int i = 0; i < 100; i++) {
        snapshot = poller_poll(poller, -1);
        assert_no_answer_since(snapshot);
        snapshot_destroy(&snapshot);
    }
    assert_true(monotonic_seconds() - start < 100 * TIMEOUT_S / 2);
    assert_int_equal(fake_server_begun(slow, FAKE_QUERY), 1);

    /* What it answers then is its reply to the first poll after that. */
    fake_server_hang(slow, FAKE_QUERY, false);
    fake_server_wait_done(slow, FAKE_QUERY, 1);
    do {
        snapshot_destroy(&snapshot);
        snapshot = poller_poll(poller, -1);
    } while (!snapshot->replies[SLOW].response);
    assert_int_equal(fake_server_begun(slow, FAKE_QUERY), 1);
    snapshot_destroy(&snapshot);

    /* And it is waited for again. */
    snapshot = poller_poll(poller, -1);
    assert_non_null(snapshot->replies[SLOW].response);
    assert_int_equal(fake_server_begun(slow, FAKE_QUERY), 2);
    snapshot_destroy(&snapshot);
    assert_true(poller_destroy(&poller));
}

/* Lets the slow one be found while a poll waits for the good one. */
static void *find_while_polling(void *argument)
{
    fake_server_wait_begun(good, FAKE_QUERY, 1);
    fake_server_hang(slow, FAKE_FIND, false);
    fake_server_wait_done(slow, FAKE_FIND, 1);
    /* This isn't what the test waits for; but the test only means something if it comes in time. */
    const struct timespec moment = {.tv_nsec = 30000000};
    nanosleep(&moment, NULL);
    fake_server_hang(good, FAKE_QUERY, false);
    return argument;
}

static void test_that_one_was_found_is_no_answer(void **state)
{
    (void)state;
    fake_server_hang(slow, FAKE_FIND, true);
    poller_t *poller = new_poller();
    assert_true(poller_connect(poller, -1));
    assert_true(poller_settle(poller));
    fake_server_hang(good, FAKE_QUERY, true);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, find_while_polling, NULL), 0);
    snapshot_t *snapshot = poller_poll(poller, -1);
    pthread_join(thread, NULL);
    assert_no_answer_since(snapshot);
    snapshot_destroy(&snapshot);
    snapshot = poller_poll(poller, -1);
    assert_non_null(snapshot->replies[SLOW].response);
    snapshot_destroy(&snapshot);
    assert_true(poller_destroy(&poller));
}

/* ---- the start ---- */

static void test_names_what_cannot_be_asked_and_goes_on_with_the_rest(void **state)
{
    (void)state;
    fake_server_fail(slow, FAKE_CONNECT, TANGO_ERROR_NOT_RUNNING);
    const target_t targets[] = {{.name = (char *)"slow/pub/1"},
                                {.name = (char *)"good/pub/1"},
                                {.name = (char *)"no/such/one"}};
    poller_t *poller = poller_of(targets, 3, LONG_TIMEOUT_S, false);
    assert_true(poller_connect(poller, -1));
    assert_said(
        "note: slow/pub/1: it fails as it was told; it is tried again at every poll\n"
        "warning: no/such/one: no such device: check the name; it is tried again at every poll\n");
    assert_false(poller_is_complete(poller));
    assert_true(poller_settle(poller));

    /* Both come up. */
    fake_server_fail(slow, FAKE_CONNECT, TANGO_ERROR_NONE);
    snapshot_t *snapshot = poller_poll(poller, -1);
    assert_int_equal(snapshot->reply_count, 3);
    assert_string_equal(snapshot->replies[0].server, "dserver/slow/1");
    assert_non_null(snapshot->replies[0].response);
    assert_string_equal(snapshot->replies[2].error, "no such device");
    snapshot_destroy(&snapshot);
    fake_server_new("no/such/one", "dserver/one/1");
    assert_all_answer(poller);
    assert_true(poller_is_complete(poller));
    assert_said("");
    assert_true(poller_destroy(&poller));
    assert_null(poller);
    assert_true(poller_destroy(&poller));
}

static void test_does_not_begin_with_wrong_ones_alone(void **state)
{
    (void)state;
    fake_server_set_commands(good, (tango_event_commands_t){0});
    fake_server_set_commands(slow, (tango_event_commands_t){0});
    const target_t targets[] = {{.name = (char *)"no/such/one"},
                                {.name = (char *)"good/pub/1"},
                                {.name = (char *)"slow/pub/1", .optional = true}};
    poller_t *poller = poller_of(targets, 3, LONG_TIMEOUT_S, false);
    assert_false(poller_connect(poller, -1));
    assert_said(
        "warning: no/such/one: no such device: check the name\n"
        "warning: dserver/good/1: has neither QueryEventAgent nor QueryEventSystem: load the agent "
        "with ska-tango-event-agent attach PID, or start it with the agent: ska-tango-event-agent "
        "run -- COMMAND (see docs/, or "
        "ska-tango-event-monitor(1))\n");
    assert_false(poller_is_complete(poller));
    assert_true(poller_destroy(&poller));
}

static void test_begins_with_one_that_hangs(void **state)
{
    (void)state;
    fake_server_hang(slow, FAKE_FIND, true);
    const target_t target = {.name = (char *)"slow/pub/1"};
    poller_t *poller = poller_of(&target, 1, TIMEOUT_S, false);
    assert_true(poller_connect(poller, -1));
    assert_said("note: slow/pub/1: no answer within 1.4 s; it is tried again at every poll\n");
    assert_true(poller_is_complete(poller));
    fake_server_hang(slow, FAKE_FIND, false);
    assert_true(poller_destroy(&poller));
}

static void test_passes_optional_ones_over(void **state)
{
    (void)state;
    fake_server_set_commands(slow, (tango_event_commands_t){0});
    const target_t targets[] = {{.name = (char *)"slow/pub/1", .optional = true},
                                {.name = (char *)"good/pub/1", .optional = true}};
    poller_t *poller = poller_of(targets, 2, LONG_TIMEOUT_S, false);
    assert_true(poller_connect(poller, -1));
    assert_true(poller_is_complete(poller));
    assert_said("");
    assert_true(poller_settle(poller));
    assert_said(
        "note: 1 of 2 servers skipped, since they have no command to ask: dserver/slow/1\n");
    snapshot_t *snapshot = poller_poll(poller, -1);
    assert_int_equal(snapshot->reply_count, 1);
    assert_string_equal(snapshot->replies[0].server, "dserver/good/1");
    snapshot_destroy(&snapshot);
    assert_true(poller_destroy(&poller));
}

static void test_has_nothing_left_to_watch(void **state)
{
    (void)state;
    static const char *const names[] = {"a/a/a", "b/b/b", "c/c/c", "d/d/d"};
    target_t targets[4];
    for (size_t i = 0; i < 4; i++) {
        targets[i] = (target_t){.name = (char *)names[i], .optional = true};
        fake_server_set_commands(fake_server_new(names[i], names[i]), (tango_event_commands_t){0});
    }
    poller_t *poller = poller_of(targets, 4, LONG_TIMEOUT_S, false);
    assert_false(poller_connect(poller, -1) && poller_settle(poller));
    assert_said(
        "note: 4 of 4 servers skipped, since they have no command to ask: a/a/a, b/b/b, c/c/c, "
        "... (--list shows them all)\nwarning: nothing is left to watch\n");
    assert_true(poller_destroy(&poller));
}

static void test_asks_the_server_of_several_devices_once(void **state)
{
    (void)state;
    fake_server_new("good/pub/2", "dserver/good/1");
    const target_t targets[] = {{.name = (char *)"good/pub/1"},
                                {.name = (char *)"slow/pub/1"},
                                {.name = (char *)"good/pub/2"},
                                {.name = (char *)"dserver/good/1"}};
    poller_t *poller = poller_of(targets, 4, LONG_TIMEOUT_S, false);
    assert_true(poller_connect(poller, -1));
    assert_true(poller_settle(poller));
    assert_said("note: dserver/good/1: the server of good/pub/1, good/pub/2, dserver/good/1; it is "
                "polled once\n");
    snapshot_t *snapshot = poller_poll(poller, -1);
    assert_int_equal(snapshot->reply_count, 2);
    assert_string_equal(snapshot->replies[0].server, "dserver/good/1");
    assert_string_equal(snapshot->replies[1].server, "dserver/slow/1");
    snapshot_destroy(&snapshot);
    assert_true(poller_destroy(&poller));
}

/* Two that hung at the start, of whom only their answers tell that they are one. */
static void test_makes_one_of_two_that_answer_late(void **state)
{
    (void)state;
    fake_server_t *second = fake_server_new("slow/pub/2", "dserver/slow/1");
    fake_server_hang(slow, FAKE_FIND, true);
    fake_server_hang(second, FAKE_FIND, true);
    const target_t targets[] = {{.name = (char *)"slow/pub/1"},
                                {.name = (char *)"slow/pub/2"},
                                {.name = (char *)"good/pub/1"}};
    poller_t *poller = poller_of(targets, 3, TIMEOUT_S, true);
    assert_true(poller_connect(poller, -1));
    assert_true(poller_settle(poller));
    poller_start_perf(poller, -1);
    *said = '\0';
    fake_server_hang(slow, FAKE_FIND, false);
    fake_server_hang(second, FAKE_FIND, false);
    fake_server_wait_done(slow, FAKE_FIND, 1);
    fake_server_wait_done(second, FAKE_FIND, 1);
    for (int polls = 0; !*said; polls++) {
        assert_true(polls < 20000);
        usleep(1000); /* those that hang are not waited for */
        snapshot_t *snapshot = poller_poll(poller, -1);
        assert_int_equal(snapshot->reply_count, *said ? 2 : 3);
        assert_string_equal(snapshot->replies[snapshot->reply_count - 1].server, "dserver/good/1");
        snapshot_destroy(&snapshot);
    }
    assert_said("note: slow/pub/2: the server of slow/pub/1; it is polled once\n");
    /* Whichever of them had switched it on. */
    assert_true(poller_stop_perf(poller, -1));
    assert_false(fake_server_has_perf(slow));
    assert_true(poller_destroy(&poller));
}

static void test_lists_the_servers_and_what_they_are_asked_by(void **state)
{
    (void)state;
    static const struct {
        tango_error_kind_t kind;
        const char *state;
    } failures[] = {
        {TANGO_ERROR_NOT_RUNNING, "not running"},
        {TANGO_ERROR_TIMEOUT, "no answer"},
        {TANGO_ERROR_NO_DEVICE, "no such device"},
        {TANGO_ERROR_DATABASE, "no database"},
        {TANGO_ERROR_TANGO_HOST, "no database"},
        {TANGO_ERROR_FILES, "too many open files"},
        {TANGO_ERROR_OTHER, "error"},
    };
    enum { FAILURES = sizeof failures / sizeof *failures, OTHERS = 4 };
    static const char *const devices[FAILURES] = {"a/f/1", "a/f/2", "a/f/3", "a/f/4",
                                                  "a/f/5", "a/f/6", "a/f/7"};
    target_t targets[OTHERS + FAILURES] = {{.name = (char *)"good/pub/1"},
                                           {.name = (char *)"dserver/good/1"},
                                           {.name = (char *)"slow/pub/1"},
                                           {.name = (char *)"no/co/mmands", .optional = true}};
    char *expected = memory_string("dserver/good/1  QueryEventAgent\n"
                                   "dserver/slow/1  QueryEventSystem\n"
                                   "no/co/mmands    none\n");
    fake_server_set_commands(slow, (tango_event_commands_t){.query_event_system = true});
    fake_server_set_commands(fake_server_new("no/co/mmands", "no/co/mmands"),
                             (tango_event_commands_t){0});
    for (size_t i = 0; i < FAILURES; i++) {
        targets[OTHERS + i] = (target_t){.name = (char *)devices[i]};
        fake_server_fail(fake_server_new(devices[i], devices[i]), FAKE_FIND, failures[i].kind);
        char *longer =
            memory_format("%s%s           %s\n", expected, devices[i], failures[i].state);
        free(expected);
        expected = longer;
    }
    poller_t *poller = poller_of(targets, OTHERS + FAILURES, LONG_TIMEOUT_S, false);
    assert_true(poller_connect(poller, -1));
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    poller_list(poller, out);
    memory_stream_close(out);
    assert_string_equal(text, expected);
    free(text);
    free(expected);
    assert_true(poller_destroy(&poller));
}

static void test_needs_a_file(void **state)
{
    (void)state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    const target_t target = {.name = (char *)"slow/pub/1"};
    char *error = NULL;
    poller_t *poller = poller_new(&target, 1, TIMEOUT_S, false, remember, NULL, &error);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_null(poller);
    assert_string_equal(error, "can't start: Too many open files");
    free(error);
}

/* ---- threads that can't be had ---- */

/* How many more threads there are; the linker puts this before the real one. */
static int threads_left = INT_MAX;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument)
{
    return threads_left-- > 0 ? __real_pthread_create(thread, attributes, start, argument) : EAGAIN;
}

static void test_watches_those_for_whom_there_are_threads(void **state)
{
    (void)state;
    threads_left = 1;
    poller_t *poller = new_poller();
    const bool connected = poller_connect(poller, -1);
    threads_left = INT_MAX;
    assert_true(connected);
    assert_said(
        "warning: good/pub/1: can't start a thread for it: Resource temporarily unavailable: watch "
        "fewer servers at once, or raise the limit (ulimit -u)\n");
    assert_false(poller_is_complete(poller));
    assert_true(poller_settle(poller));
    snapshot_t *snapshot = poller_poll(poller, -1);
    assert_int_equal(snapshot->reply_count, 1);
    snapshot_destroy(&snapshot);
    assert_true(poller_destroy(&poller));
}

static void test_does_not_begin_without_threads(void **state)
{
    (void)state;
    threads_left = 0;
    poller_t *poller = new_poller();
    const bool connected = poller_connect(poller, -1);
    threads_left = INT_MAX;
    assert_false(connected);
    assert_true(poller_destroy(&poller));
}

/* ---- polls ---- */

static void test_keeps_the_texts_of_answers_unless_told_to_drop_them(void **state)
{
    (void)state;
    poller_t *poller = connected_poller(false);
    snapshot_t *snapshot = poller_poll(poller, -1);
    assert_string_equal(snapshot->replies[GOOD].server, "dserver/good/1");
    assert_int_equal(strlen(snapshot->replies[GOOD].data), snapshot->replies[GOOD].data_size);
    assert_true(snapshot->replies[GOOD].answered > 0);
    assert_true(snapshot->time.tv_sec > 0);
    snapshot_destroy(&snapshot);
    poller_keep_texts(poller, false);
    snapshot = poller_poll(poller, -1);
    assert_non_null(snapshot->replies[GOOD].response);
    assert_null(snapshot->replies[GOOD].data);
    snapshot_destroy(&snapshot);
    assert_true(poller_destroy(&poller));
}

static void test_replies_say_what_failed(void **state)
{
    (void)state;
    poller_t *poller = connected_poller(false);
    fake_server_fail(slow, FAKE_QUERY, TANGO_ERROR_NOT_RUNNING);
    fake_server_set_answer(good, "no JSON");
    snapshot_t *snapshot = poller_poll(poller, -1);
    assert_string_equal(snapshot->replies[SLOW].error, "it fails as it was told");
    assert_null(snapshot->replies[SLOW].data);
    assert_memory_equal(snapshot->replies[GOOD].error, "can't read its answer: ", 23);
    assert_string_equal(snapshot->replies[GOOD].data, "no JSON");
    snapshot_destroy(&snapshot);
    fake_server_fail(slow, FAKE_QUERY, TANGO_ERROR_NONE);
    fake_server_set_answer(good, NULL);
    assert_all_answer(poller);
    assert_said("");
    assert_true(poller_destroy(&poller));
}

/* A descriptor that is readable. The caller closes it. */
static int stopped(void)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[1]);
    return ends[0];
}

static void test_is_called_off(void **state)
{
    (void)state;
    const int stop_fd = stopped();
    fake_server_hang(slow, FAKE_FIND, true);
    poller_t *poller = new_poller();
    assert_false(poller_connect(poller, stop_fd));
    fake_server_hang(slow, FAKE_FIND, false);
    assert_true(poller_destroy(&poller));
    assert_said("");

    poller = connected_poller(true);
    fake_server_hang(slow, FAKE_QUERY, true);
    poller_start_perf(poller, stop_fd);
    assert_said("");
    fake_server_hang(slow, FAKE_QUERY, false);
    assert_true(poller_destroy(&poller));

    fake_server_restart(slow);
    fake_server_restart(good);
    poller = connected_poller(true);
    poller_start_perf(poller, -1);
    fake_server_hang(slow, FAKE_QUERY, true);
    snapshot_t *snapshot = poller_poll(poller, stop_fd);
    assert_string_equal(snapshot->replies[SLOW].error,
                        "not waited for: the monitor was told to stop");
    snapshot_destroy(&snapshot);

    /* A stop that was called off says nothing, and may be asked for again. */
    assert_false(poller_stop_perf(poller, stop_fd));
    assert_said("");
    fake_server_hang(slow, FAKE_QUERY, false);
    assert_true(poller_stop_perf(poller, -1));
    assert_false(fake_server_has_perf(slow));
    assert_false(fake_server_has_perf(good));
    assert_true(poller_destroy(&poller));
    close(stop_fd);
}

static void test_is_left_behind_by_one_that_hangs(void **state)
{
    (void)state;
    poller_t *poller = connected_poller(false);
    poller_t *left_behind = poller;
    const int stop_fd = stopped();
    fake_server_hang(slow, FAKE_QUERY, true);
    snapshot_t *snapshot = poller_poll(poller, stop_fd);
    snapshot_destroy(&snapshot);
    close(stop_fd);
    fake_server_wait_begun(slow, FAKE_QUERY, 1);
    assert_false(poller_destroy(&poller));
    assert_null(poller);
    /* All of it is still there for the thread; here that comes home, and it can be ended after all.
     */
    fake_server_hang(slow, FAKE_QUERY, false);
    for (bool ended = false; !ended;) {
        poller = left_behind;
        ended = poller_destroy(&poller);
    }
}

/* ---- performance monitoring ---- */

/* Lets the slow one answer an earlier poll while one waits for the good one. */
static void *answer_while_polling(void *argument)
{
    fake_server_wait_begun(good, FAKE_QUERY, 2);
    fake_server_hang(slow, FAKE_QUERY, false);
    fake_server_wait_done(slow, FAKE_QUERY, 1);
    /* As in find_while_polling(). */
    const struct timespec moment = {.tv_nsec = 30000000};
    nanosleep(&moment, NULL);
    fake_server_hang(good, FAKE_QUERY, false);
    return argument;
}

/* It isn't compared with what others answer to this one. */
static void test_an_answer_to_an_earlier_poll_says_when_it_was_asked(void **state)
{
    (void)state;
    poller_t *poller = new_poller();
    assert_true(poller_connect(poller, -1));
    assert_true(poller_settle(poller));
    fake_server_hang(slow, FAKE_QUERY, true);
    snapshot_t *snapshot = poller_poll(poller, -1);
    assert_non_null(snapshot->replies[SLOW].error);
    snapshot_destroy(&snapshot);
    fake_server_hang(good, FAKE_QUERY, true);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, answer_while_polling, NULL), 0);
    snapshot = poller_poll(poller, -1);
    pthread_join(thread, NULL);
    const reply_t *reply = &snapshot->replies[SLOW];
    assert_non_null(reply->response);
    assert_true(reply->time.tv_sec > 0);
    assert_true(reply->time.tv_sec <= snapshot->time.tv_sec);
    assert_int_equal(snapshot->replies[GOOD].time.tv_sec, 0);
    snapshot_destroy(&snapshot);
    assert_true(poller_destroy(&poller));
}

/* Lets the slow one be switched while a poll waits for the good one. */
static void *switch_while_polling(void *argument)
{
    fake_server_wait_begun(good, FAKE_QUERY, *(const int *)argument);
    fake_server_hang(slow, FAKE_SWITCH, false);
    return NULL;
}

/* It has answered, and is still being switched on again when the next poll begins. */
static void test_waits_for_one_that_is_switched_on_again(void **state)
{
    (void)state;
    poller_t *poller = connected_poller(true);
    poller_start_perf(poller, -1);
    fake_server_set_perf(slow, false);
    fake_server_hang(slow, FAKE_SWITCH, true);
    assert_all_answer(poller);
    fake_server_wait_begun(slow, FAKE_SWITCH, 2);
    int next = fake_server_begun(good, FAKE_QUERY) + 1;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, switch_while_polling, &next), 0);
    assert_all_answer(poller);
    pthread_join(thread, NULL);
    assert_true(fake_server_has_perf(slow));
    assert_true(poller_stop_perf(poller, -1));
    assert_false(fake_server_has_perf(slow));
    assert_true(poller_destroy(&poller));
}

static void test_starts_it_and_stops_what_it_started(void **state)
{
    (void)state;
    fake_server_set_perf(good, true);
    poller_t *poller = connected_poller(true);
    poller_start_perf(poller, -1);
    assert_said("");
    assert_true(fake_server_has_perf(slow));
    assert_int_equal(fake_server_begun(good, FAKE_SWITCH), 0);
    /* What came of the question whether it is on was kept: it isn't asked again. */
    assert_int_equal(fake_server_begun(good, FAKE_QUERY), 1);
    assert_all_answer(poller);
    assert_int_equal(fake_server_begun(good, FAKE_QUERY), 1);
    assert_said(
        "note: performance monitoring was switched on by somebody else, or by a monitor that was "
        "killed, and stays on: dserver/good/1: to switch it off, call StopEventSystemPerfMon, or "
        "else EnableEventSystemPerfMon with false; each monitor gets only a part of the samples\n");
    assert_all_answer(poller);
    assert_said("");
    assert_true(poller_stop_perf(poller, -1));
    assert_false(fake_server_has_perf(slow));
    assert_true(fake_server_has_perf(good));
    assert_true(poller_destroy(&poller));
}

static void test_without_perf_it_starts_nothing_but_says_what_is_on(void **state)
{
    (void)state;
    fake_server_set_perf(slow, true);
    fake_server_set_perf(good, true);
    poller_t *poller = connected_poller(false);
    poller_start_perf(poller, -1);
    assert_int_equal(fake_server_begun(slow, FAKE_QUERY), 0);
    assert_all_answer(poller);
    assert_said(
        "note: performance monitoring was switched on by somebody else, or by a monitor that was "
        "killed, and stays on: dserver/slow/1, dserver/good/1: to switch it off, call "
        "StopEventSystemPerfMon, or else EnableEventSystemPerfMon with false\n");
    assert_true(poller_stop_perf(poller, -1));
    assert_true(fake_server_has_perf(slow));
    assert_true(poller_destroy(&poller));
}

static void test_says_where_it_cannot_be_started(void **state)
{
    (void)state;
    fake_server_set_commands(slow, (tango_event_commands_t){.query_event_agent = true});
    fake_server_fail(good, FAKE_SWITCH, TANGO_ERROR_OTHER);
    poller_t *poller = connected_poller(true);
    assert_true(poller_is_complete(poller));
    assert_said(
        "note: dserver/slow/1: has neither EnableEventSystemPerfMon nor StartEventSystemPerfMon, "
        "so "
        "--monitor-perf does nothing there: load the agent with ska-tango-event-agent attach PID, "
        "or start it with the agent: ska-tango-event-agent run -- "
        "COMMAND (see docs/, or ska-tango-event-monitor(1))\n");
    poller_start_perf(poller, -1);
    assert_said("warning: dserver/good/1: can't start performance monitoring yet: it fails as it "
                "was told\n");
    /* With an answer it is tried again. */
    fake_server_fail(good, FAKE_SWITCH, TANGO_ERROR_NONE);
    assert_all_answer(poller);
    fake_server_wait_done(good, FAKE_SWITCH, 2);
    assert_true(poller_stop_perf(poller, -1));
    assert_false(fake_server_has_perf(good));
    assert_true(poller_destroy(&poller));
}

static void test_says_where_it_may_still_be_on(void **state)
{
    (void)state;
    poller_t *poller = connected_poller(true);
    poller_start_perf(poller, -1);
    fake_server_fail(slow, FAKE_SWITCH, TANGO_ERROR_NOT_RUNNING); /* it is gone, and so is that */
    fake_server_fail(good, FAKE_SWITCH, TANGO_ERROR_OTHER);
    assert_false(poller_stop_perf(poller, -1));
    assert_said(
        "warning: dserver/good/1: performance monitoring may still be on: it fails as it was told: "
        "call its StopEventSystemPerfMon when it answers again\n");
    fake_server_fail(good, FAKE_SWITCH, TANGO_ERROR_NONE);
    assert_true(poller_stop_perf(poller, -1));
    assert_said("");
    assert_true(poller_destroy(&poller));
}

/* The view's "m": what was stopped isn't ours any more, whoever starts it then. */
static void test_switches_it_off_and_on_again(void **state)
{
    (void)state;
    poller_t *poller = connected_poller(false);
    assert_all_answer(poller);
    for (int i = 0; i < 2; i++) {
        poller_set_perf(poller, true);
        poller_start_perf(poller, -1);
        assert_true(fake_server_has_perf(slow));
        assert_true(fake_server_has_perf(good));
        assert_all_answer(poller);
        poller_set_perf(poller, false);
        assert_true(poller_stop_perf(poller, -1));
        assert_false(fake_server_has_perf(slow));
        assert_false(fake_server_has_perf(good));
        assert_all_answer(poller);
        assert_false(fake_server_has_perf(slow)); /* and it stays off */
    }
    fake_server_set_perf(slow, true);
    assert_all_answer(poller);
    poller_set_perf(poller, true);
    poller_start_perf(poller, -1);
    assert_all_answer(poller);
    assert_true(fake_server_has_perf(good));
    assert_true(poller_stop_perf(poller, -1));
    assert_true(fake_server_has_perf(slow));
    assert_false(fake_server_has_perf(good));
    assert_said("");
    assert_true(poller_destroy(&poller));
}

/* ---- shards ---- */

static poller_t *poller_of_shard(uint64_t number, uint64_t count, double timeout, bool perf)
{
    const target_t targets[SERVERS] = {{.name = (char *)"slow/pub/1"},
                                       {.name = (char *)"good/pub/1"}};
    const shard_t shard = {number, count};
    poller_t *poller = poller_of(targets, SERVERS, timeout, perf);
    poller_shard(poller, &shard);
    assert_true(poller_connect(poller, -1));
    return poller;
}

static void assert_only_reply_is_of(poller_t *poller, const char *server)
{
    snapshot_t *snapshot = poller_poll(poller, -1);
    assert_int_equal(snapshot->reply_count, 1);
    assert_string_equal(snapshot->replies[0].server, server);
    snapshot_destroy(&snapshot);
}

/* dserver/slow/1 is in 3/5, dserver/good/1 in 5/5. */
static void test_watches_its_shard_only(void **state)
{
    (void)state;
    poller_t *poller = poller_of_shard(5, 5, LONG_TIMEOUT_S, false);
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    poller_list(poller, out);
    memory_stream_close(out);
    assert_string_equal(text, "dserver/good/1  QueryEventAgent\n");
    free(text);
    assert_true(poller_settle(poller));
    assert_only_reply_is_of(poller, "dserver/good/1");
    assert_int_equal(fake_server_begun(slow, FAKE_QUERY), 0);
    assert_said("");
    assert_true(poller_destroy(&poller));
    poller = poller_of_shard(3, 5, LONG_TIMEOUT_S, false);
    assert_true(poller_settle(poller));
    assert_only_reply_is_of(poller, "dserver/slow/1");
    assert_said("");
    assert_true(poller_destroy(&poller));
    poller = poller_of_shard(1, 5, LONG_TIMEOUT_S, false);
    assert_false(poller_settle(poller));
    assert_said("warning: no server is in shard 1/5\n");
    snapshot_t *snapshot = poller_poll(poller, -1);
    assert_int_equal(snapshot->reply_count, 0);
    snapshot_destroy(&snapshot);
    assert_true(poller_destroy(&poller));
}

static void test_what_fails_in_another_shard_is_not_said_here(void **state)
{
    (void)state;
    fake_server_fail(slow, FAKE_CONNECT, TANGO_ERROR_NOT_RUNNING);
    poller_t *poller = poller_of_shard(5, 5, LONG_TIMEOUT_S, false);
    assert_said("");
    assert_true(poller_is_complete(poller));
    assert_true(poller_destroy(&poller));
    poller = poller_of_shard(3, 5, LONG_TIMEOUT_S, false);
    assert_non_null(strstr(said, "slow/pub/1: "));
    *said = '\0';
    assert_true(poller_destroy(&poller));
}

/*
 * Polls until that many servers reply. A server that isn't known counts by the device's name,
 * slow/pub/1, which is in 2/3; both servers are in 1/3.
 */
static void poll_until(poller_t *poller, size_t count)
{
    size_t found = count + 1;
    for (int polls = 0; found != count; polls++) {
        assert_true(polls < 20000);
        usleep(1000); /* those that hang are not waited for */
        snapshot_t *snapshot = poller_poll(poller, -1);
        found = snapshot->reply_count;
        snapshot_destroy(&snapshot);
    }
}

static void test_a_server_may_turn_out_to_be_in_another_shard(void **state)
{
    (void)state;
    fake_server_hang(slow, FAKE_FIND, true);
    poller_t *poller = poller_of_shard(2, 3, TIMEOUT_S, true);
    assert_true(poller_settle(poller));
    poller_start_perf(poller, -1);
    assert_only_reply_is_of(poller, "slow/pub/1");
    fake_server_hang(slow, FAKE_FIND, false);
    poll_until(poller, 0);
    assert_false(fake_server_has_perf(slow));
    assert_true(poller_stop_perf(poller, -1));
    assert_true(poller_destroy(&poller));
}

static void test_a_server_may_turn_out_to_be_in_this_shard(void **state)
{
    (void)state;
    fake_server_hang(slow, FAKE_FIND, true);
    poller_t *poller = poller_of_shard(1, 3, TIMEOUT_S, true);
    assert_true(poller_settle(poller));
    poller_start_perf(poller, -1);
    *said = '\0';
    assert_only_reply_is_of(poller, "dserver/good/1");
    fake_server_hang(slow, FAKE_FIND, false);
    poll_until(poller, 2);
    for (int polls = 0; !fake_server_has_perf(slow); polls++) {
        assert_true(polls < 2000);
        poll_until(poller, 2);
    }
    assert_true(poller_stop_perf(poller, -1));
    assert_false(fake_server_has_perf(slow));
    assert_true(poller_destroy(&poller));
}

#define POLLER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        POLLER_TEST(test_one_that_hangs_is_waited_for_once),
        POLLER_TEST(test_that_one_was_found_is_no_answer),
        POLLER_TEST(test_names_what_cannot_be_asked_and_goes_on_with_the_rest),
        POLLER_TEST(test_does_not_begin_with_wrong_ones_alone),
        POLLER_TEST(test_begins_with_one_that_hangs),
        POLLER_TEST(test_passes_optional_ones_over),
        POLLER_TEST(test_has_nothing_left_to_watch),
        POLLER_TEST(test_asks_the_server_of_several_devices_once),
        POLLER_TEST(test_makes_one_of_two_that_answer_late),
        POLLER_TEST(test_lists_the_servers_and_what_they_are_asked_by),
        POLLER_TEST(test_needs_a_file),
        POLLER_TEST(test_watches_those_for_whom_there_are_threads),
        POLLER_TEST(test_does_not_begin_without_threads),
        POLLER_TEST(test_keeps_the_texts_of_answers_unless_told_to_drop_them),
        POLLER_TEST(test_replies_say_what_failed),
        POLLER_TEST(test_is_called_off),
        POLLER_TEST(test_is_left_behind_by_one_that_hangs),
        POLLER_TEST(test_an_answer_to_an_earlier_poll_says_when_it_was_asked),
        POLLER_TEST(test_waits_for_one_that_is_switched_on_again),
        POLLER_TEST(test_starts_it_and_stops_what_it_started),
        POLLER_TEST(test_without_perf_it_starts_nothing_but_says_what_is_on),
        POLLER_TEST(test_says_where_it_cannot_be_started),
        POLLER_TEST(test_says_where_it_may_still_be_on),
        POLLER_TEST(test_switches_it_off_and_on_again),
        POLLER_TEST(test_watches_its_shard_only),
        POLLER_TEST(test_what_fails_in_another_shard_is_not_said_here),
        POLLER_TEST(test_a_server_may_turn_out_to_be_in_another_shard),
        POLLER_TEST(test_a_server_may_turn_out_to_be_in_this_shard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
