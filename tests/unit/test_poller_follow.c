/* The poller with --follow: servers that are named by the answers of others. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/monotonic.h"
#include "fake_servers.h"
#include "monitor/poll/poller.h"

#define TIMEOUT_S      0.2
#define LONG_TIMEOUT_S 20

enum { MAXIMUM = 8 };

/* A chain of servers: the last one receives events from the top one, and that from the first. */
static const char first_name[] = "tango://db:1/dserver/first/1";
static const char top_name[] = "tango://db:1/dserver/top/1";
static fake_server_t *first;
static fake_server_t *top;
static fake_server_t *last;

static char *said;
static selection_options_t exclusions;
static char *excluded[2];

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

#define RECEIVES(device, channel)                                                                  \
    "{\"version\": 1, \"agent\": {\"pid\": 1}, \"server\": {\"event_counters\": {}, \"perf\": "    \
    "null}, \"client\": {\"event_callbacks\": {\"tango://db:1/" device                             \
    "/attr.idl5_change\": {\"channel_name\": \"" channel                                           \
    "\"}}, \"not_connected\": [], \"event_channels\": {\"" channel                                 \
    "\": {\"endpoint\": \"tcp://127.0.0.1:1\"}}, \"perf\": null}}"

#define RECEIVES_NOTHING "{\"version\": 1, \"server\": null, \"client\": null}"

static fake_server_t *new_server(const char *name, const char *identity)
{
    fake_server_t *server = fake_server_new(name, name);
    fake_server_set_identity(server, identity);
    return server;
}

static int setup(void **state)
{
    (void)state;
    fake_servers_clear();
    first = new_server(first_name, "database 10.0.0.1:1/dserver/first/1");
    top = new_server(top_name, "database 10.0.0.1:1/dserver/top/1");
    last = new_server("dserver/last/1", "database 10.0.0.1:1/dserver/last/1");
    fake_server_set_answer(last, RECEIVES("top/top/1", "tango://db:1/dserver/top/1"));
    fake_server_set_answer(top, RECEIVES("first/first/1", "tango://db:1/dserver/first/1"));
    said = memory_string("");
    exclusions = (selection_options_t){.excluded = excluded};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(said);
    return 0;
}

/* Of the last server alone; connected. */
static poller_t *new_poller(double timeout, bool perf, size_t maximum)
{
    const target_t target = {.name = (char *)"dserver/last/1"};
    char *error = NULL;
    poller_t *poller = poller_new(&target, 1, timeout, perf, remember, NULL, &error);
    assert_null(error);
    poller_follow(poller, &exclusions, maximum);
    assert_true(poller_connect(poller, -1));
    return poller;
}

/* Polls, and expects replies of these servers, in this order, separated by blanks; with a '!'
 * behind the name of one that failed. */
static void assert_polls(poller_t *poller, const char *servers)
{
    snapshot_t *snapshot = poller_poll(poller, -1);
    char *names = memory_string("");
    for (size_t i = 0; i < snapshot->reply_count; i++) {
        const reply_t *reply = &snapshot->replies[i];
        char *longer = memory_format("%s%s%s%s", names, *names ? " " : "", reply->server,
                                     reply->response ? "" : "!");
        free(names);
        names = longer;
    }
    assert_string_equal(names, servers);
    free(names);
    snapshot_destroy(&snapshot);
}

/* Polls until the poller has said something. */
static void poll_until_said(poller_t *poller)
{
    for (int polls = 0; !*said; polls++) {
        assert_true(polls < 20000);
        usleep(1000);
        snapshot_t *snapshot = poller_poll(poller, -1);
        snapshot_destroy(&snapshot);
    }
}

static void test_finds_all_of_a_chain_at_the_start(void **state)
{
    (void)state;
    poller_t *poller = new_poller(LONG_TIMEOUT_S, false, MAXIMUM);
    assert_true(poller_find_others(poller, -1));
    assert_said("note: 1 more server is watched, since events are received from it: dserver/top/1\n"
                "note: 1 more server is watched, since events are received from it: "
                "dserver/first/1\n");
    assert_true(poller_settle(poller));
    assert_polls(poller, "dserver/last/1 dserver/top/1 dserver/first/1");
    assert_polls(poller, "dserver/last/1 dserver/top/1 dserver/first/1");
    assert_said("");
    assert_true(poller_is_complete(poller));
    assert_true(poller_destroy(&poller));
}

static void test_lists_them(void **state)
{
    (void)state;
    poller_t *poller = new_poller(LONG_TIMEOUT_S, false, MAXIMUM);
    assert_true(poller_find_others(poller, -1));
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    poller_list(poller, out);
    memory_stream_close(out);
    assert_string_equal(text, "dserver/last/1   QueryEventAgent\n"
                              "dserver/top/1    QueryEventAgent\n"
                              "dserver/first/1  QueryEventAgent\n");
    free(text);
    assert_true(poller_destroy(&poller));
}

static void test_adds_one_that_appears_later(void **state)
{
    (void)state;
    fake_server_set_answer(last, RECEIVES_NOTHING);
    poller_t *poller = new_poller(LONG_TIMEOUT_S, true, MAXIMUM);
    assert_true(poller_find_others(poller, -1));
    assert_true(poller_settle(poller));
    poller_start_perf(poller, -1);
    assert_polls(poller, "dserver/last/1");
    assert_said("");
    fake_server_set_answer(last, RECEIVES("top/top/1", "tango://db:1/dserver/top/1"));
    fake_server_set_answer(top, NULL);
    assert_polls(poller, "dserver/last/1");
    poll_until_said(poller);
    assert_said(
        "note: 1 more server is watched, since events are received from it: dserver/top/1\n");
    assert_polls(poller, "dserver/last/1 dserver/top/1");
    /* Its performance monitoring goes with the others'. */
    fake_server_wait_done(top, FAKE_SWITCH, 1);
    assert_true(fake_server_has_perf(top));
    assert_true(poller_stop_perf(poller, -1));
    assert_false(fake_server_has_perf(top));
    assert_said("");
    assert_true(poller_destroy(&poller));
}

/* Under another name of its database, and under one that only the server's identity tells. */
static void test_adds_none_that_is_watched_already(void **state)
{
    (void)state;
    fake_server_t *alias =
        new_server("tango://other:1/dserver/LAST/1", "database 10.0.0.1:1/dserver/last/1");
    fake_server_set_answer(last, RECEIVES("last/last/1", "tango://other:1/dserver/LAST/1"));
    poller_t *poller = new_poller(LONG_TIMEOUT_S, false, MAXIMUM);
    assert_true(poller_find_others(poller, -1));
    assert_int_equal(fake_server_begun(alias, FAKE_FIND), 1);
    assert_polls(poller, "dserver/last/1");
    /* Now the database is known: one more spelling, which would be unknown here, isn't tried. */
    fake_server_set_answer(last, RECEIVES("last/last/1", "tango://other:1/dserver/last/1"));
    assert_polls(poller, "dserver/last/1");
    assert_polls(poller, "dserver/last/1");
    assert_said("");
    assert_true(poller_destroy(&poller));
}

static void test_asks_one_of_a_database_first(void **state)
{
    (void)state;
    fake_server_set_answer(
        last, "{\"version\": 1, \"server\": null, \"client\": {\"event_channels\": {"
              "\"tango://db:1/dserver/first/1\": {}, \"tango://db:1/dserver/last/1\": {}, "
              "\"tango://db:1/dserver/none/1\": {}, \"tango://db:1/dserver/top/1\": {}}}}");
    fake_server_set_answer(top, NULL);
    poller_t *poller = new_poller(LONG_TIMEOUT_S, false, MAXIMUM);
    assert_true(poller_find_others(poller, -1));
    /* The last one under its full name, which would be an unknown one here, isn't tried. */
    assert_said("note: 1 more server is watched, since events are received from it: "
                "dserver/first/1\n"
                "note: tango://db:1/dserver/none/1: can't be watched, though events are received "
                "from it: no such device: check the name\n"
                "note: 1 more server is watched, since events are received from it: "
                "dserver/top/1\n");
    assert_polls(poller, "dserver/last/1 dserver/first/1 dserver/top/1");
    assert_said("");
    assert_true(poller_destroy(&poller));
}

static void test_adds_none_that_is_excluded(void **state)
{
    (void)state;
    static const char *const patterns[] = {"dserver/TOP/*", "tango://db:1/dserver/top/1", "top/*/1",
                                           "tango://db:1/top/top/?"};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        excluded[0] = (char *)patterns[i];
        exclusions.excluded_count = 1;
        poller_t *poller = new_poller(LONG_TIMEOUT_S, false, MAXIMUM);
        assert_true(poller_find_others(poller, -1));
        assert_polls(poller, "dserver/last/1");
        assert_polls(poller, "dserver/last/1");
        assert_true(poller_destroy(&poller));
    }
    assert_said("");
    assert_int_equal(fake_server_begun(top, FAKE_FIND), 0);
}

/* One of two devices is excluded, whichever: the other one's events are received from it. */
static void test_adds_one_with_another_device_than_those_excluded(void **state)
{
    (void)state;
    fake_server_set_answer(last, "{\"version\": 1, \"server\": null, \"client\": {"
                                 "\"event_channels\": {\"tango://db:1/dserver/top/1\": {}}, "
                                 "\"event_callbacks\": {\"tango://db:1/top/top/1/a.idl5_change\": "
                                 "{\"channel_name\": \"tango://db:1/dserver/top/1\"}, "
                                 "\"tango://db:1/top/top/2.intr_change\": "
                                 "{\"channel_name\": \"tango://db:1/dserver/top/1\"}}}}");
    static const char *const patterns[] = {"top/top/1", "top/top/2", "dserver/top/2"};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        excluded[0] = (char *)patterns[i];
        exclusions.excluded_count = 1;
        poller_t *poller = new_poller(LONG_TIMEOUT_S, false, MAXIMUM);
        assert_true(poller_find_others(poller, -1));
        assert_polls(poller, "dserver/last/1 dserver/top/1 dserver/first/1");
        assert_true(poller_destroy(&poller));
    }
    excluded[0] = (char *)"top/top/?";
    poller_t *poller = new_poller(LONG_TIMEOUT_S, false, MAXIMUM);
    assert_true(poller_find_others(poller, -1));
    assert_polls(poller, "dserver/last/1");
    assert_true(poller_destroy(&poller));
}

static void test_is_not_delayed_by_one_that_hangs(void **state)
{
    (void)state;
    fake_server_hang(top, FAKE_FIND, true);
    poller_t *poller = new_poller(TIMEOUT_S, false, MAXIMUM);
    assert_true(poller_find_others(poller, -1));
    assert_said("");
    const double start = monotonic_seconds();
    for (int i = 0; i < 100; i++)
        assert_polls(poller, "dserver/last/1");
    assert_true(monotonic_seconds() - start < 100 * TIMEOUT_S / 2);
    assert_int_equal(fake_server_begun(top, FAKE_FIND), 1);
    fake_server_hang(top, FAKE_FIND, false);
    poll_until_said(poller);
    assert_said(
        "note: 1 more server is watched, since events are received from it: dserver/top/1\n");
    assert_true(poller_destroy(&poller));
}

static void test_says_once_who_cannot_be_asked(void **state)
{
    (void)state;
    fake_server_set_commands(top, (tango_event_commands_t){0});
    poller_t *poller = new_poller(LONG_TIMEOUT_S, false, MAXIMUM);
    assert_true(poller_find_others(poller, -1));
    assert_said("note: 1 server that events are received from can't be watched, for lack of a "
                "command to ask: dserver/top/1\n");
    assert_polls(poller, "dserver/last/1");
    fake_server_set_answer(last, RECEIVES("a/b/c", "tango://gone:1/dserver/x/1"));
    fake_server_fail(fake_server_new("tango://gone:1/dserver/x/1", "x"), FAKE_FIND,
                     TANGO_ERROR_DATABASE);
    poll_until_said(poller);
    assert_said("note: tango://gone:1/dserver/x/1: can't be watched, though events are received "
                "from it: it fails as it was told\n");
    /* Nor is any other one of that database tried. */
    fake_server_set_answer(last, RECEIVES("a/b/c", "tango://gone:1/dserver/y/1"));
    for (int i = 0; i < 10; i++)
        assert_polls(poller, "dserver/last/1");
    assert_said("");
    assert_true(poller_destroy(&poller));
}

static void test_watches_one_that_is_down(void **state)
{
    (void)state;
    fake_server_fail(top, FAKE_CONNECT, TANGO_ERROR_NOT_RUNNING);
    poller_t *poller = new_poller(LONG_TIMEOUT_S, false, MAXIMUM);
    assert_true(poller_find_others(poller, -1));
    assert_said("note: 1 more server is watched, since events are received from it: dserver/top/1\n"
                "note: dserver/top/1: it fails as it was told; it is tried again at every poll\n");
    assert_true(poller_settle(poller));
    assert_polls(poller, "dserver/last/1 dserver/top/1!");
    assert_true(poller_is_complete(poller));
    fake_server_fail(top, FAKE_CONNECT, TANGO_ERROR_NONE);
    assert_polls(poller, "dserver/last/1 dserver/top/1");
    poll_until_said(poller);
    assert_said(
        "note: 1 more server is watched, since events are received from it: dserver/first/1\n");
    /* Once it has answered, it is one of all, whatever becomes of it. */
    fake_server_set_commands(first, (tango_event_commands_t){0});
    fake_server_set_answer(first, NULL);
    assert_polls(poller, "dserver/last/1 dserver/top/1 dserver/first/1!");
    assert_polls(poller, "dserver/last/1 dserver/top/1 dserver/first/1!");
    assert_said("");
    assert_true(poller_destroy(&poller));
}

static void test_forgets_one_that_comes_up_without_a_command(void **state)
{
    (void)state;
    fake_server_fail(top, FAKE_CONNECT, TANGO_ERROR_NOT_RUNNING);
    fake_server_set_commands(top, (tango_event_commands_t){0});
    poller_t *poller = new_poller(LONG_TIMEOUT_S, false, MAXIMUM);
    assert_true(poller_find_others(poller, -1));
    *said = '\0';
    assert_polls(poller, "dserver/last/1 dserver/top/1!");
    fake_server_fail(top, FAKE_CONNECT, TANGO_ERROR_NONE);
    poll_until_said(poller);
    assert_said("note: 1 server that events are received from can't be watched, for lack of a "
                "command to ask: dserver/top/1\n");
    assert_polls(poller, "dserver/last/1");
    assert_said("");
    assert_true(poller_destroy(&poller));
}

static void test_stops_at_the_maximum(void **state)
{
    (void)state;
    poller_t *poller = new_poller(LONG_TIMEOUT_S, false, 1);
    assert_true(poller_find_others(poller, -1));
    assert_said("note: 1 more server is watched, since events are received from it: dserver/top/1\n"
                "warning: --follow has added as many servers as it may, 1: further ones have to be "
                "named\n");
    assert_polls(poller, "dserver/last/1 dserver/top/1");
    assert_polls(poller, "dserver/last/1 dserver/top/1");
    assert_said("");
    assert_true(poller_destroy(&poller));
}

static void test_ignores_names_of_no_admin_device(void **state)
{
    (void)state;
    static const char *const names[] = {"", "foo", "tango://db:1/top/top/1", "tango://", "#"};
    poller_t *poller = new_poller(LONG_TIMEOUT_S, false, MAXIMUM);
    for (size_t i = 0; i <= sizeof names / sizeof *names; i++) {
        char *name = i < sizeof names / sizeof *names
                         ? memory_string(names[i])
                         : memory_format("tango://db:1/dserver/%01000d", 1);
        char *answer = memory_format("{\"version\": 1, \"server\": null, \"client\": "
                                     "{\"event_channels\": {\"%s\": {}}}}",
                                     name);
        fake_server_set_answer(last, answer);
        assert_polls(poller, "dserver/last/1");
        assert_polls(poller, "dserver/last/1");
        fake_server_set_answer(last, NULL);
        free(answer);
        free(name);
    }
    assert_said("");
    assert_true(poller_destroy(&poller));
}

/* A name without a host is in the database of whoever named it. */
static void test_takes_the_database_of_the_subscriber(void **state)
{
    (void)state;
    fake_server_set_answer(top, RECEIVES("first/first/1", "dserver/first/1"));
    const target_t target = {.name = (char *)top_name};
    char *error = NULL;
    poller_t *poller = poller_new(&target, 1, LONG_TIMEOUT_S, false, remember, NULL, &error);
    poller_follow(poller, &exclusions, MAXIMUM);
    assert_true(poller_connect(poller, -1));
    assert_true(poller_find_others(poller, -1));
    assert_polls(poller, "tango://db:1/dserver/top/1 tango://db:1/dserver/first/1");
    assert_true(poller_destroy(&poller));
}

static void test_is_interrupted(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[1]);
    fake_server_hang(top, FAKE_FIND, true);
    poller_t *poller = new_poller(LONG_TIMEOUT_S, false, MAXIMUM);
    assert_false(poller_find_others(poller, ends[0]));
    close(ends[0]);
    fake_server_hang(top, FAKE_FIND, false);
    for (poller_t *left_behind = poller; !poller_destroy(&poller);)
        poller = left_behind;
}

#define FOLLOW_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLLOW_TEST(test_finds_all_of_a_chain_at_the_start),
        FOLLOW_TEST(test_lists_them),
        FOLLOW_TEST(test_adds_one_that_appears_later),
        FOLLOW_TEST(test_adds_none_that_is_watched_already),
        FOLLOW_TEST(test_asks_one_of_a_database_first),
        FOLLOW_TEST(test_adds_none_that_is_excluded),
        FOLLOW_TEST(test_adds_one_with_another_device_than_those_excluded),
        FOLLOW_TEST(test_is_not_delayed_by_one_that_hangs),
        FOLLOW_TEST(test_says_once_who_cannot_be_asked),
        FOLLOW_TEST(test_watches_one_that_is_down),
        FOLLOW_TEST(test_forgets_one_that_comes_up_without_a_command),
        FOLLOW_TEST(test_stops_at_the_maximum),
        FOLLOW_TEST(test_ignores_names_of_no_admin_device),
        FOLLOW_TEST(test_takes_the_database_of_the_subscriber),
        FOLLOW_TEST(test_is_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
