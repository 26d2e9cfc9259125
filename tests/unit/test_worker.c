/* A worker, with a server that is a function in this file. */
#include "cmocka_all.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_servers.h"
#include "monitor/poll/workers.h"

/* Longer than anything here takes. */
#define PATIENCE_S 20

static workers_t workers;
static worker_t *worker;
static fake_server_t *server;

static int setup(void **state)
{
    (void)state;
    fake_servers_clear();
    server = fake_server_new("test/pub/1", "dserver/pub/1");
    const target_t target = {.name = (char *)"test/pub/1"};
    workers = (workers_t){0};
    char *error = NULL;
    assert_true(workers_init(&workers, &target, 1, PATIENCE_S, &error));
    worker = workers.all[0];
    assert_true(worker_start(worker, &error));
    assert_null(error);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_true(workers_clear(&workers));
    return 0;
}

/* Waits for the result of an earlier request. The caller clears it. */
static worker_result_t wait_for_result(void)
{
    assert_true(workers_await(&workers, PATIENCE_S, -1));
    worker_result_t result;
    assert_true(worker_take_result(worker, &result));
    return result;
}

/* Asks, and waits for the result. The caller clears it. */
static worker_result_t do_task(worker_task_t task)
{
    assert_true(worker_ask(worker, task));
    return wait_for_result();
}

static void assert_result(worker_result_t *result, worker_task_t task, tango_error_kind_t kind)
{
    assert_int_equal(result->task, task);
    assert_int_equal(result->error.kind, kind);
    worker_result_clear(result);
}

static void assert_done(worker_task_t task)
{
    worker_result_t result = do_task(task);
    assert_result(&result, task, TANGO_ERROR_NONE);
}

/* Asks, and expects that error. */
static void assert_fails(worker_task_t task, tango_error_kind_t kind, const char *text)
{
    worker_result_t result = do_task(task);
    assert_non_null(strstr(worker_result_error(&result), text));
    assert_null(result.response);
    assert_null(result.data);
    assert_result(&result, task, kind);
}

/* Once more around a loop that waits, but not for ever. */
static void turn(int *turns)
{
    assert_true(++*turns < PATIENCE_S * 1000);
    usleep(1000);
}

/* ---- connecting and polling ---- */

static void test_connects(void **state)
{
    (void)state;
    assert_done(TASK_CONNECT);
    assert_string_equal(worker->admin.name, "dserver/pub/1");
    assert_true(link_is_connected(worker->link));
    assert_true(worker_has_query(&worker->commands));
    assert_true(worker_has_perf(&worker->commands));
    assert_int_equal(fake_server_begun(server, FAKE_QUERY), 0);
}

static void test_has_a_result_once(void **state)
{
    (void)state;
    worker_result_t result;
    assert_false(worker_take_result(worker, &result));
    assert_done(TASK_CONNECT);
    assert_false(worker_take_result(worker, &result));
    assert_null(result.data);
}

static void test_polls_without_having_connected(void **state)
{
    (void)state;
    worker_result_t result = do_task(TASK_POLL);
    assert_non_null(result.response);
    assert_int_equal(result.response->agent_pid, 1000);
    assert_int_equal(result.data_size, strlen(result.data));
    assert_null(result.unreadable);
    assert_true(result.answered > 0);
    assert_true(result.asked.tv_sec > 0);
    assert_result(&result, TASK_POLL, TANGO_ERROR_NONE);
    assert_string_equal(fake_server_last_call(server), "QueryEventAgent");
}

static void test_drops_the_text_that_nobody_wants(void **state)
{
    (void)state;
    workers.shared.keeps_texts = false;
    worker_result_t result = do_task(TASK_POLL);
    assert_non_null(result.response);
    assert_null(result.data);
    assert_int_equal(result.data_size, 0);
    worker_result_clear(&result);
}

static void test_says_why_an_answer_cannot_be_read(void **state)
{
    (void)state;
    fake_server_set_answer(server, "{\"version\": 1, ");
    worker_result_t result = do_task(TASK_POLL);
    assert_null(result.response);
    assert_non_null(result.unreadable);
    assert_string_equal(result.data, "{\"version\": 1, ");
    assert_result(&result, TASK_POLL, TANGO_ERROR_NONE);
}

static void test_asks_what_there_is(void **state)
{
    (void)state;
    fake_server_set_commands(server, (tango_event_commands_t){.query_event_system = true});
    assert_done(TASK_POLL);
    assert_string_equal(fake_server_last_call(server), "QueryEventSystem");
}

static void test_polls_until_the_server_is_there(void **state)
{
    (void)state;
    fake_server_fail(server, FAKE_FIND, TANGO_ERROR_DATABASE);
    assert_fails(TASK_CONNECT, TANGO_ERROR_DATABASE, "as it was told");
    assert_null(worker->admin.name);
    assert_fails(TASK_POLL, TANGO_ERROR_DATABASE, "as it was told");
    fake_server_fail(server, FAKE_FIND, TANGO_ERROR_NONE);
    fake_server_fail(server, FAKE_CONNECT, TANGO_ERROR_NOT_RUNNING);
    assert_fails(TASK_POLL, TANGO_ERROR_NOT_RUNNING, "as it was told");
    assert_string_equal(worker->admin.name, "dserver/pub/1");
    fake_server_fail(server, FAKE_CONNECT, TANGO_ERROR_NONE);
    fake_server_fail(server, FAKE_COMMANDS, TANGO_ERROR_TIMEOUT);
    assert_fails(TASK_POLL, TANGO_ERROR_TIMEOUT, "as it was told");
    fake_server_fail(server, FAKE_COMMANDS, TANGO_ERROR_NONE);
    assert_done(TASK_POLL);
    /* Completed steps aren't repeated. */
    assert_int_equal(fake_server_begun(server, FAKE_FIND), 3);
    assert_int_equal(fake_server_begun(server, FAKE_CONNECT), 2);
}

static void test_waits_a_moment_for_the_commands_of_a_server_that_starts(void **state)
{
    (void)state;
    fake_server_start_slowly(server, 1);
    assert_done(TASK_CONNECT);
    assert_true(worker_has_query(&worker->commands));
    assert_int_equal(fake_server_begun(server, FAKE_COMMANDS), 2);
}

static void test_asks_again_for_commands_that_were_not_there(void **state)
{
    (void)state;
    fake_server_start_slowly(server, 3);
    assert_done(TASK_CONNECT);
    assert_false(worker_has_query(&worker->commands));
    assert_fails(TASK_POLL, TANGO_ERROR_NO_COMMAND, WORKER_LOAD_THE_AGENT);
    assert_int_equal(fake_server_begun(server, FAKE_QUERY), 0);
    assert_done(TASK_POLL);
}

static void test_learns_what_a_restarted_server_has(void **state)
{
    (void)state;
    assert_done(TASK_POLL);
    fake_server_restart(server);
    fake_server_set_commands(server, (tango_event_commands_t){.query_event_system = true});
    assert_fails(TASK_POLL, TANGO_ERROR_NOT_RUNNING, "connection was lost");
    assert_done(TASK_POLL);
    assert_string_equal(fake_server_last_call(server), "QueryEventSystem");
}

static void test_learns_that_a_command_has_gone(void **state)
{
    (void)state;
    assert_done(TASK_POLL);
    /* In one poll: another command is there. */
    fake_server_set_commands(server, (tango_event_commands_t){.query_event_system = true});
    assert_done(TASK_POLL);
    fake_server_set_commands(server, (tango_event_commands_t){0});
    assert_fails(TASK_POLL, TANGO_ERROR_NO_COMMAND, "restarted without the agent");
    fake_server_set_commands(server, (tango_event_commands_t){.query_event_agent = true});
    assert_done(TASK_POLL);
}

/* ---- busy, hanging, ending ---- */

static void test_is_given_one_task_at_a_time(void **state)
{
    (void)state;
    fake_server_hang(server, FAKE_QUERY, true);
    assert_true(worker_ask(worker, TASK_POLL));
    fake_server_wait_begun(server, FAKE_QUERY, 1);
    assert_false(worker_ask(worker, TASK_POLL));
    assert_false(worker_ask(worker, TASK_START_PERF));
    fake_server_hang(server, FAKE_QUERY, false);
    worker_result_t result = wait_for_result();
    assert_result(&result, TASK_POLL, TANGO_ERROR_NONE);
    assert_int_equal(fake_server_begun(server, FAKE_QUERY), 1);
}

static void test_an_answer_that_nobody_has_taken_is_not_replaced(void **state)
{
    (void)state;
    assert_true(worker_ask(worker, TASK_POLL));
    assert_true(workers_await(&workers, PATIENCE_S, -1));
    assert_true(worker_has_answer(worker));
    assert_false(worker_ask(worker, TASK_POLL));
    worker_result_t result;
    assert_true(worker_take_result(worker, &result));
    assert_result(&result, TASK_POLL, TANGO_ERROR_NONE);
    assert_int_equal(fake_server_begun(server, FAKE_QUERY), 1);
}

static void test_a_stop_waits_in_line_and_is_what_is_answered(void **state)
{
    (void)state;
    assert_done(TASK_POLL);
    fake_server_set_perf(server, true);
    fake_server_hang(server, FAKE_QUERY, true);
    assert_true(worker_ask(worker, TASK_POLL));
    fake_server_wait_begun(server, FAKE_QUERY, 2);
    assert_true(worker_ask(worker, TASK_STOP_PERF));
    fake_server_hang(server, FAKE_QUERY, false);
    worker_result_t result = wait_for_result();
    assert_result(&result, TASK_STOP_PERF, TANGO_ERROR_NONE);
    assert_false(fake_server_has_perf(server));
    assert_false(worker_take_result(worker, &result));
}

static void test_a_wait_ends_with_its_deadline(void **state)
{
    (void)state;
    fake_server_hang(server, FAKE_QUERY, true);
    assert_true(worker_ask(worker, TASK_POLL));
    assert_true(workers_await(&workers, 0.05, -1));
    worker_result_t result;
    assert_false(worker_take_result(worker, &result));
    assert_false(worker_has_answer(worker));
    fake_server_hang(server, FAKE_QUERY, false);
    for (int turns = 0; !worker_has_answer(worker);)
        turn(&turns);
    assert_true(worker_take_result(worker, &result));
    assert_result(&result, TASK_POLL, TANGO_ERROR_NONE);
}

static void test_a_wait_is_called_off(void **state)
{
    (void)state;
    int stop[2];
    assert_int_equal(pipe(stop), 0);
    fake_server_hang(server, FAKE_QUERY, true);
    assert_true(worker_ask(worker, TASK_POLL));
    close(stop[1]);
    assert_false(workers_await(&workers, PATIENCE_S, stop[0]));
    close(stop[0]);
    fake_server_hang(server, FAKE_QUERY, false);
}

static void test_one_that_hangs_is_not_awaited(void **state)
{
    (void)state;
    worker->hangs = true;
    fake_server_hang(server, FAKE_QUERY, true);
    assert_true(worker_ask(worker, TASK_POLL));
    fake_server_wait_begun(server, FAKE_QUERY, 1);
    assert_true(workers_await(&workers, PATIENCE_S, -1));
    worker_result_t result;
    assert_false(worker_take_result(worker, &result));
    fake_server_hang(server, FAKE_QUERY, false);
}

static void test_one_that_hangs_cannot_be_ended(void **state)
{
    (void)state;
    fake_server_hang(server, FAKE_QUERY, true);
    assert_true(worker_ask(worker, TASK_POLL));
    fake_server_wait_begun(server, FAKE_QUERY, 1);
    assert_false(workers_clear(&workers));
    fake_server_hang(server, FAKE_QUERY, false);
}

static void test_one_without_a_thread_is_ended(void **state)
{
    (void)state;
    const target_t target = {.name = (char *)"test/pub/2", .optional = true};
    workers_t others = {0};
    char *error = NULL;
    assert_true(workers_init(&others, &target, 1, PATIENCE_S, &error));
    assert_string_equal(others.all[0]->name, "test/pub/2");
    assert_true(others.all[0]->optional);
    assert_true(workers_clear(&others));
    assert_int_equal(others.count, 0);
}

static void test_hangs_if_it_failed_and_took_long(void **state)
{
    (void)state;
    const double timeout = 4;
    worker_result_t result = {.asked = {.tv_sec = 100}, .error = {.kind = TANGO_ERROR_NOT_RUNNING}};
    result.seconds = 2;
    worker_note_hanging(worker, &result, timeout);
    assert_false(worker->hangs);
    result.seconds = 2.1;
    worker_note_hanging(worker, &result, timeout);
    assert_true(worker->hangs);
    assert_int_equal(worker->hangs_since, 100);
    /* For as long as it goes on like that, since the first time. */
    result = (worker_result_t){.asked = {.tv_sec = 200}, .error = {.kind = TANGO_ERROR_TIMEOUT}};
    worker_note_hanging(worker, &result, timeout);
    assert_true(worker->hangs);
    assert_int_equal(worker->hangs_since, 100);
    /* One that answers, however late, doesn't. */
    result = (worker_result_t){.asked = {.tv_sec = 300}, .seconds = 60};
    worker_note_hanging(worker, &result, timeout);
    assert_false(worker->hangs);
}

static void test_an_error_without_text_has_one(void **state)
{
    (void)state;
    const worker_result_t result = {.error = {.kind = TANGO_ERROR_OTHER}};
    assert_string_equal(worker_result_error(&result), "unknown error");
}

/* ---- performance monitoring ---- */

static void test_switches_on_what_was_off_and_owns_it(void **state)
{
    (void)state;
    assert_false(worker_owns_perf(worker));
    assert_done(TASK_START_PERF);
    assert_string_equal(fake_server_last_call(server), "StartEventSystemPerfMon");
    assert_true(fake_server_has_perf(server));
    assert_true(worker_owns_perf(worker));
    assert_true(worker_end_perf(worker));
    assert_done(TASK_STOP_PERF);
    assert_string_equal(fake_server_last_call(server), "StopEventSystemPerfMon");
}

static void test_owns_nothing_that_was_on_and_keeps_its_samples(void **state)
{
    (void)state;
    fake_server_set_perf(server, true);
    assert_true(worker_ask(worker, TASK_START_PERF));
    assert_true(workers_await(&workers, PATIENCE_S, -1));
    assert_true(worker_has_answer(worker));
    worker_result_t result;
    assert_true(worker_take_result(worker, &result));
    assert_true(worker_perf_is_on(result.response));
    assert_result(&result, TASK_POLL, TANGO_ERROR_NONE);
    assert_int_equal(fake_server_begun(server, FAKE_SWITCH), 0);
    assert_false(worker_end_perf(worker));
}

static void test_switches_on_what_is_partly_on_but_does_not_own_it(void **state)
{
    (void)state;
    fake_server_set_answer(server,
                           "{\"version\": 1, \"server\": {\"event_counters\": {}, \"perf\": []}, "
                           "\"client\": {\"event_callbacks\": {}, \"perf\": null}}");
    worker_result_t result = do_task(TASK_START_PERF);
    assert_non_null(result.response);
    assert_result(&result, TASK_POLL, TANGO_ERROR_NONE);
    assert_int_equal(fake_server_begun(server, FAKE_SWITCH), 1);
    assert_false(worker_owns_perf(worker));
}

static void test_uses_the_command_that_belongs_to_what_it_asks(void **state)
{
    (void)state;
    static const struct {
        tango_event_commands_t commands;
        const char *call;
    } cases[] = {
        {{.query_event_agent = true, .start_and_stop = true, .enable = true},
         "StartEventSystemPerfMon"},
        {{.query_event_system = true, .start_and_stop = true, .enable = true},
         "EnableEventSystemPerfMon(true)"},
        {{.query_event_system = true, .start_and_stop = true}, "StartEventSystemPerfMon"},
        {{.query_event_agent = true, .enable = true}, "EnableEventSystemPerfMon(true)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake_server_set_commands(server, cases[i].commands);
        fake_server_restart(server);
        worker_result_t result = do_task(TASK_POLL);
        worker_result_clear(&result);
        assert_done(TASK_START_PERF);
        assert_string_equal(fake_server_last_call(server), cases[i].call);
    }
}

static void test_says_that_nothing_can_be_switched(void **state)
{
    (void)state;
    fake_server_set_commands(server, (tango_event_commands_t){.query_event_agent = true});
    assert_fails(TASK_START_PERF, TANGO_ERROR_NO_COMMAND, "has no command for that");
    fake_server_fail(server, FAKE_QUERY, TANGO_ERROR_TIMEOUT);
    assert_fails(TASK_START_PERF, TANGO_ERROR_TIMEOUT, "as it was told");
}

static void test_stops_nothing_where_it_is_not_connected(void **state)
{
    (void)state;
    assert_fails(TASK_STOP_PERF, TANGO_ERROR_NOT_RUNNING, "not running");
}

static void test_switches_a_restarted_server_on_again(void **state)
{
    (void)state;
    assert_done(TASK_START_PERF);
    fake_server_restart(server);
    worker_result_t result = do_task(TASK_POLL);
    assert_result(&result, TASK_POLL, TANGO_ERROR_NOT_RUNNING);
    assert_done(TASK_POLL);
    fake_server_wait_done(server, FAKE_SWITCH, 2);
    assert_true(worker_owns_perf(worker));
    assert_true(fake_server_has_perf(server));
    /* It was switched on after its answer, so the worker may still be busy with it. */
    for (int turns = 0; !worker_ask(worker, TASK_POLL);)
        turn(&turns);
    result = wait_for_result();
    assert_result(&result, TASK_POLL, TANGO_ERROR_NONE);
    assert_int_equal(fake_server_begun(server, FAKE_SWITCH), 2);
}

/* Being at that, it has answered already: nobody may take it for one that doesn't. */
static void test_a_poll_waits_in_line_while_it_is_switched_on_again(void **state)
{
    (void)state;
    assert_done(TASK_START_PERF);
    fake_server_set_perf(server, false);
    fake_server_hang(server, FAKE_SWITCH, true);
    assert_done(TASK_POLL);
    fake_server_wait_begun(server, FAKE_SWITCH, 2);
    const int asked = fake_server_begun(server, FAKE_QUERY);
    assert_true(worker_ask(worker, TASK_POLL));
    assert_false(worker_ask(worker, TASK_START_PERF));
    assert_true(worker_ask(worker, TASK_POLL));
    fake_server_hang(server, FAKE_SWITCH, false);
    worker_result_t result = wait_for_result();
    assert_true(worker_perf_is_on(result.response));
    assert_result(&result, TASK_POLL, TANGO_ERROR_NONE);
    assert_int_equal(fake_server_begun(server, FAKE_QUERY), asked + 1);
    assert_true(fake_server_has_perf(server));
    assert_true(worker_owns_perf(worker));
}

static void test_a_stop_takes_the_place_of_a_poll_in_line(void **state)
{
    (void)state;
    assert_done(TASK_START_PERF);
    fake_server_set_perf(server, false);
    fake_server_hang(server, FAKE_SWITCH, true);
    assert_done(TASK_POLL);
    fake_server_wait_begun(server, FAKE_SWITCH, 2);
    const int asked = fake_server_begun(server, FAKE_QUERY);
    assert_true(worker_ask(worker, TASK_POLL));
    assert_true(worker_end_perf(worker));
    assert_true(worker_ask(worker, TASK_STOP_PERF));
    assert_false(worker_ask(worker, TASK_POLL));
    fake_server_hang(server, FAKE_SWITCH, false);
    worker_result_t result = wait_for_result();
    assert_result(&result, TASK_STOP_PERF, TANGO_ERROR_NONE);
    assert_int_equal(fake_server_begun(server, FAKE_QUERY), asked);
    assert_false(fake_server_has_perf(server));
}

static void test_what_it_owned_goes_with_the_process(void **state)
{
    (void)state;
    assert_done(TASK_START_PERF);
    assert_true(worker_owns_perf(worker));
    fake_server_restart(server);
    fake_server_set_perf(server, true);
    worker_result_t result = do_task(TASK_POLL);
    assert_result(&result, TASK_POLL, TANGO_ERROR_NOT_RUNNING);
    assert_done(TASK_POLL);
    assert_false(worker_owns_perf(worker));
}

static void test_switches_nothing_on_after_the_end_of_it(void **state)
{
    (void)state;
    assert_done(TASK_START_PERF);
    assert_true(worker_end_perf(worker));
    assert_done(TASK_STOP_PERF);
    assert_done(TASK_POLL);
    assert_int_equal(fake_server_begun(server, FAKE_SWITCH), 2);
    assert_false(fake_server_has_perf(server));
}

static void test_one_that_was_busy_is_switched_on_with_its_first_answer(void **state)
{
    (void)state;
    fake_server_hang(server, FAKE_FIND, true);
    assert_true(worker_ask(worker, TASK_CONNECT));
    fake_server_wait_begun(server, FAKE_FIND, 1);
    assert_false(worker_ask(worker, TASK_START_PERF));
    fake_server_hang(server, FAKE_FIND, false);
    worker_result_t result = wait_for_result();
    assert_result(&result, TASK_CONNECT, TANGO_ERROR_NONE);
    assert_done(TASK_POLL);
    fake_server_wait_done(server, FAKE_SWITCH, 1);
    assert_true(worker_owns_perf(worker));
}

static void test_reads_from_an_answer_whether_it_is_on(void **state)
{
    (void)state;
    assert_false(worker_perf_is_on(NULL));
    response_t response = {.push_perf_on = true, .receive_perf_on = true};
    assert_false(worker_perf_is_on(&response));
    response.has_server = true;
    assert_true(worker_perf_is_on(&response));
    response.push_perf_on = false;
    assert_false(worker_perf_is_on(&response));
    response.has_client = true;
    assert_true(worker_perf_is_on(&response));
}

#define WORKER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_connects),
        WORKER_TEST(test_has_a_result_once),
        WORKER_TEST(test_polls_without_having_connected),
        WORKER_TEST(test_drops_the_text_that_nobody_wants),
        WORKER_TEST(test_says_why_an_answer_cannot_be_read),
        WORKER_TEST(test_asks_what_there_is),
        WORKER_TEST(test_polls_until_the_server_is_there),
        WORKER_TEST(test_waits_a_moment_for_the_commands_of_a_server_that_starts),
        WORKER_TEST(test_asks_again_for_commands_that_were_not_there),
        WORKER_TEST(test_learns_what_a_restarted_server_has),
        WORKER_TEST(test_learns_that_a_command_has_gone),
        WORKER_TEST(test_is_given_one_task_at_a_time),
        WORKER_TEST(test_an_answer_that_nobody_has_taken_is_not_replaced),
        WORKER_TEST(test_a_stop_waits_in_line_and_is_what_is_answered),
        WORKER_TEST(test_a_wait_ends_with_its_deadline),
        WORKER_TEST(test_a_wait_is_called_off),
        WORKER_TEST(test_one_that_hangs_is_not_awaited),
        WORKER_TEST(test_one_that_hangs_cannot_be_ended),
        WORKER_TEST(test_one_without_a_thread_is_ended),
        WORKER_TEST(test_hangs_if_it_failed_and_took_long),
        WORKER_TEST(test_an_error_without_text_has_one),
        WORKER_TEST(test_switches_on_what_was_off_and_owns_it),
        WORKER_TEST(test_owns_nothing_that_was_on_and_keeps_its_samples),
        WORKER_TEST(test_switches_on_what_is_partly_on_but_does_not_own_it),
        WORKER_TEST(test_uses_the_command_that_belongs_to_what_it_asks),
        WORKER_TEST(test_says_that_nothing_can_be_switched),
        WORKER_TEST(test_stops_nothing_where_it_is_not_connected),
        WORKER_TEST(test_switches_a_restarted_server_on_again),
        WORKER_TEST(test_a_poll_waits_in_line_while_it_is_switched_on_again),
        WORKER_TEST(test_a_stop_takes_the_place_of_a_poll_in_line),
        WORKER_TEST(test_what_it_owned_goes_with_the_process),
        WORKER_TEST(test_switches_nothing_on_after_the_end_of_it),
        WORKER_TEST(test_one_that_was_busy_is_switched_on_with_its_first_answer),
        WORKER_TEST(test_reads_from_an_answer_whether_it_is_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
