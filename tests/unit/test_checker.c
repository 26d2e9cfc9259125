/* What the monitor tries out itself: with real sockets of this machine, and fake devices. */
#include "cmocka_all.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "answers.h"
#include "base/memory.h"
#include "base/monotonic.h"
#include "fake_servers.h"
#include "monitor/poll/check_endpoint.h"
#include "monitor/poll/checker.h"

#define PATIENCE_NS (20 * NS_PER_SECOND)
#define ADMIN       "tango://h:1/dserver/pub/1"

static checker_t *checker;

static int setup(void **state)
{
    (void)state;
    fake_servers_clear();
    char *error = NULL;
    checker = checker_new(&error);
    return checker && !error ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    fake_servers_clear();
    return checker_destroy(&checker) ? 0 : -1;
}

/* A socket with a port of its own on 127.0.0.1, and its endpoint, which the caller frees. */
static int open_port(bool listens, char **endpoint)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    if (listens)
        assert_int_equal(listen(fd, 1), 0);
    *endpoint = memory_format("tcp://127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

static void endpoints_are_tried(void **state)
{
    (void)state;
    enum { OPEN, CLOSED, WILDCARD, STRANGE, COUNT };
    static const check_outcome_t expected[] = {CHECK_GOOD, CHECK_REFUSED, CHECK_NO_ADDRESS,
                                               CHECK_NO_ADDRESS};
    check_t checks[COUNT] = {{.kind = CHECK_ENDPOINT}};
    const int fds[] = {open_port(true, &checks[OPEN].subject),
                       open_port(false, &checks[CLOSED].subject)};
    checks[WILDCARD].subject = memory_string("tcp://0.0.0.0:1");
    checks[STRANGE].subject = memory_string("ipc:///tmp/x");
    check_endpoints(checks, COUNT, -1);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(checks[i].outcome, expected[i]);
        assert_non_null(checks[i].text);
        check_clear(&checks[i]);
    }
    close(fds[0]);
    close(fds[1]);
}

static response_t *answer_of(const char *client)
{
    char *text = memory_format("{'version': 1, 'agent': {'pid': 1, 'time': "
                               "'2026-01-01T00:01:00.000000+00:00'}, 'client': %s}",
                               client);
    response_t *response = answers_parse(text);
    free(text);
    return response;
}

/* What two servers answer. */
static snapshot_t *snapshot_of(const char *client, const char *other)
{
    snapshot_t *snapshot = snapshot_new(2);
    snapshot->replies[0].server = memory_string("dserver/sub/1");
    snapshot->replies[0].response = answer_of(client);
    snapshot->replies[1].server = memory_string("dserver/sub/2");
    snapshot->replies[1].response = answer_of(other);
    return snapshot;
}

/* A channel whose last heartbeat was so many seconds ago. */
#define CHANNEL(name, endpoint, count, second)                                                     \
    "'" name "': {'endpoint': '" endpoint "', 'heartbeat_count': " #count                          \
    ", 'last_heartbeat': '2026-01-01T00:00:" second ".000000+00:00'}"
#define CHANNELS(list) "{'event_channels': {" list "}}"

static snapshot_t *look_at(const char *client, const char *other)
{
    snapshot_t *snapshot = snapshot_of(client, other);
    checker_look(checker, snapshot);
    return snapshot;
}

/* Looks at such snapshots until one has so many results; the caller destroys it. */
static snapshot_t *look_until(const char *client, const char *other, size_t results)
{
    const int64_t deadline_ns = monotonic_ns() + PATIENCE_NS;
    for (;;) {
        snapshot_t *snapshot = look_at(client, other);
        if (snapshot->checks.count >= results)
            return snapshot;
        assert_true(monotonic_ns() < deadline_ns);
        snapshot_destroy(&snapshot);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void assert_outcome(const snapshot_t *snapshot, check_kind_t kind, const char *subject,
                           check_outcome_t outcome)
{
    const check_t *check = checks_find(&snapshot->checks, kind, subject);
    assert_non_null(check);
    assert_int_equal(check->outcome, outcome);
    assert_true(check->time.tv_sec > 0);
}

static void a_silent_channel_is_checked(void **state)
{
    (void)state;
    fake_server_t *server = fake_server_new("a/b/c", ADMIN);
    fake_server_fail(server, FAKE_PING, TANGO_ERROR_NOT_RUNNING);
    static const char silent[] = CHANNELS(CHANNEL(ADMIN, "tcp://0.0.0.0:7", 3, "40"));
    snapshot_t *snapshot = look_until(silent, "{}", 2);
    assert_outcome(snapshot, CHECK_ENDPOINT, "tcp://0.0.0.0:7", CHECK_NO_ADDRESS);
    assert_outcome(snapshot, CHECK_DEVICE, ADMIN, CHECK_NOT_RUNNING);
    assert_null(checks_find(&snapshot->checks, CHECK_DEVICE, "tcp://0.0.0.0:7"));
    snapshot_destroy(&snapshot);
    /* The results stay, without another check so soon, and end with the trouble. */
    snapshot = look_at(silent, "{}");
    assert_int_equal(snapshot->checks.count, 2);
    snapshot_destroy(&snapshot);
    assert_int_equal(fake_server_begun(server, FAKE_PING), 1);
    snapshot = look_at(CHANNELS(CHANNEL(ADMIN, "tcp://0.0.0.0:7", 4, "58")), "{}");
    assert_int_equal(snapshot->checks.count, 0);
    snapshot_destroy(&snapshot);
}

static void what_is_well_is_not_checked(void **state)
{
    (void)state;
    fake_server_t *server = fake_server_new("a/b/c", ADMIN);
    static const char *const clients[] = {
        CHANNELS(CHANNEL(ADMIN, "tcp://0.0.0.0:7", 3, "50")),     /* not late yet */
        CHANNELS("'" ADMIN "': {'endpoint': 'tcp://0.0.0.0:7'}"), /* nobody counts heartbeats */
        CHANNELS("'" ADMIN "': {'heartbeat_count': 0}"),          /* may be new */
        /* It has received nothing, for another reason. */
        "{'consumer_thread': {'state': 'callbacks', 'topic': 't', 'state_micros': 20000000}, "
        "'event_channels': {" CHANNEL(ADMIN, "tcp://0.0.0.0:7", 3, "40") "}}",
        "{'consumer_thread': {'state': 'order', 'delayed_micros': 20000000}, "
        "'event_channels': {" CHANNEL(ADMIN, "tcp://0.0.0.0:7", 3, "40") "}}",
    };
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) {
        /* Beside one that is checked: then it would have been, too. */
        char *name = memory_format("x/y/%zu", i);
        char *silent = memory_format("{'event_channels': {'%s': {'endpoint': 'tcp://0.0.0.0:%zu', "
                                     "'heartbeat_count': 3, 'last_heartbeat': "
                                     "'2026-01-01T00:00:40+00:00'}}}",
                                     name, i + 1000);
        snapshot_t *snapshot = look_until(clients[i], silent, 2);
        assert_int_equal(snapshot->checks.count, 2);
        assert_outcome(snapshot, CHECK_DEVICE, name, CHECK_NO_NAME);
        snapshot_destroy(&snapshot);
        free(silent);
        free(name);
    }
    assert_int_equal(fake_server_begun(server, FAKE_PING), 0);
}

static void a_check_that_hangs_holds_nothing_up(void **state)
{
    (void)state;
    fake_server_t *server = fake_server_new("a/b/c", ADMIN);
    fake_server_hang(server, FAKE_PING, true);
    static const char silent[] = CHANNELS(CHANNEL(ADMIN, "tcp://0.0.0.0:7", 3, "40"));
    snapshot_t *snapshot = look_until(silent, "{}", 1);
    fake_server_wait_begun(server, FAKE_PING, 1);
    assert_null(checks_find(&snapshot->checks, CHECK_DEVICE, ADMIN));
    snapshot_destroy(&snapshot);
    /* While its subject isn't wanted any more, too. */
    snapshot = look_at("{}", "{}");
    snapshot_destroy(&snapshot);
    fake_server_hang(server, FAKE_PING, false);
    snapshot = look_until(silent, "{}", 2);
    assert_outcome(snapshot, CHECK_DEVICE, ADMIN, CHECK_GOOD);
    snapshot_destroy(&snapshot);
}

#define NOT_CONNECTED(device, attribute, type, host)                                               \
    "{'device': '" device "', 'attribute': '" attribute "', 'event_type': '" type                  \
    "', 'last_heartbeat': null, 'tango_host': " host "}"

static void a_subscription_that_is_not_connected_is_checked(void **state)
{
    (void)state;
    fake_server_new("a/b/c", ADMIN);
    fake_server_new("tango://h:1/a/b/c", ADMIN);
    fake_server_new("tango://h:1/a/b/c#dbase=no", ADMIN);
    static const char trouble[] =
        "{'not_connected': [" NOT_CONNECTED("a/b/c", "nosuch", "change", "null") ", " NOT_CONNECTED(
            "a/b/c", "x", "data_ready",
            "'h:1'") ", " NOT_CONNECTED("a/b/d", "x", "change",
                                        "null") ", " NOT_CONNECTED("tango://h:1/a/b/c#dbase=no",
                                                                   "x", "change", "null") "]}";
    snapshot_t *snapshot = look_until(trouble, "{}", 4);
    assert_outcome(snapshot, CHECK_ATTRIBUTE, "a/b/c/nosuch.change", CHECK_NO_ATTRIBUTE);
    assert_outcome(snapshot, CHECK_ATTRIBUTE, "tango://h:1/a/b/c/x.data_ready", CHECK_NO_EVENTS);
    assert_outcome(snapshot, CHECK_ATTRIBUTE, "a/b/d/x.change", CHECK_NO_NAME);
    assert_outcome(snapshot, CHECK_ATTRIBUTE, "tango://h:1/a/b/c/x#dbase=no.change", CHECK_GOOD);
    snapshot_destroy(&snapshot);
    snapshot = look_at("{'not_connected': []}", "{}");
    assert_int_equal(snapshot->checks.count, 0);
    snapshot_destroy(&snapshot);
}

static void subjects_are_in_the_database_of_their_server(void **state)
{
    (void)state;
    static const struct {
        const char *server;
        response_not_connected_t subscription;
        const char *subject;
    } cases[] = {
        {"dserver/Sub/1", {"a/b/c", "x", "change", NULL, NULL}, "a/b/c/x.change"},
        {"tango://h:1/dserver/Sub/1",
         {"a/b/c", "x", "change", NULL, NULL},
         "tango://h:1/a/b/c/x.change"},
        {"tango://h:1/dserver/Sub/1",
         {"a/b/c", "x", "change", NULL, "i:2"},
         "tango://i:2/a/b/c/x.change"},
        {"tango://h:1/dserver/Sub/1#dbase=no",
         {"tango://i:3/a/b/c#dbase=no", "x", "y", NULL, NULL},
         "tango://i:3/a/b/c/x#dbase=no.y"},
        {"tango://h:1/dserver/Sub/1#dbase=no", {"a/b/c", "x", "change", NULL, NULL}, NULL},
        {"dserver/Sub/1", {"", "", "", NULL, ""}, "/."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *subject = checks_attribute_subject(cases[i].server, &cases[i].subscription);
        if (cases[i].subject)
            assert_string_equal(subject, cases[i].subject);
        else
            assert_null(subject);
        free(subject);
    }
}

/* A hostile server names more than anybody may check. The caller frees it. */
static char *too_many_channels(void)
{
    char *list = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&list, &size);
    fputs("{'event_channels': {", out);
    for (int i = 0; i < 3 * CHECKER_MAXIMUM; i++)
        fprintf(out,
                "%s'c%d': {'endpoint': 'tcp://0.0.0.0:%d', 'heartbeat_count': 1, "
                "'last_heartbeat': '2026-01-01T00:00:01+00:00'}",
                i > 0 ? ", " : "", i, i + 1);
    fputs("}}", out);
    memory_stream_close(out);
    return list;
}

static void one_server_leaves_checks_to_others(void **state)
{
    (void)state;
    char *list = too_many_channels();
    const int64_t deadline_ns = monotonic_ns() + PATIENCE_NS;
    for (bool found = false; !found;) {
        snapshot_t *snapshot =
            look_at(list, CHANNELS(CHANNEL("other", "tcp://0.0.0.0:9999", 1, "01")));
        found = checks_find(&snapshot->checks, CHECK_ENDPOINT, "tcp://0.0.0.0:9999") != NULL;
        snapshot_destroy(&snapshot);
        assert_true(monotonic_ns() < deadline_ns);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    free(list);
}

static void not_more_is_checked_than_the_maximum(void **state)
{
    (void)state;
    char *list = too_many_channels();
    snapshot_t *snapshot = look_until(list, "{}", CHECKER_MAXIMUM);
    assert_in_range(snapshot->checks.count, CHECKER_MAXIMUM, 2 * CHECKER_MAXIMUM);
    snapshot_destroy(&snapshot);
    free(list);
}

/* However many channels name it. */
static void an_endpoint_counts_once(void **state)
{
    (void)state;
    char *list = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&list, &size);
    fputs("{'event_channels': {", out);
    for (int i = 0; i < 2 * CHECKER_MAXIMUM; i++)
        fprintf(out,
                "%s'c%d': {'endpoint': 'tcp://0.0.0.0:%d', 'heartbeat_count': 1, "
                "'last_heartbeat': '2026-01-01T00:00:01+00:00'}",
                i > 0 ? ", " : "", 1000 + i, i < 2 * CHECKER_MAXIMUM - 1 ? 1 : 2);
    fputs("}}", out);
    memory_stream_close(out);
    const check_t *last = NULL;
    const int64_t deadline_ns = monotonic_ns() + PATIENCE_NS;
    while (!last) {
        snapshot_t *snapshot = look_until(list, "{}", 1);
        last = checks_find(&snapshot->checks, CHECK_ENDPOINT, "tcp://0.0.0.0:2");
        snapshot_destroy(&snapshot);
        assert_true(monotonic_ns() < deadline_ns);
    }
    free(list);
}

#define CHECKER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_are_tried),
        CHECKER_TEST(a_silent_channel_is_checked),
        CHECKER_TEST(what_is_well_is_not_checked),
        CHECKER_TEST(a_check_that_hangs_holds_nothing_up),
        CHECKER_TEST(a_subscription_that_is_not_connected_is_checked),
        cmocka_unit_test(subjects_are_in_the_database_of_their_server),
        CHECKER_TEST(not_more_is_checked_than_the_maximum),
        CHECKER_TEST(one_server_leaves_checks_to_others),
        CHECKER_TEST(an_endpoint_counts_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
