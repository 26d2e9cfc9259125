/* Processes of this machine that say what they are, or something else: here they are forked by the
 * test, and listen as an agent does. Programs have names that no other process has. */
#include "cmocka_all.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/monotonic.h"
#include "base/reasons.h"
#include "fake_servers.h"
#include "monitor/poll/finder.h"
#include "monitor/poll/link.h"
#include "monitor/poll/local_process.h"
#include "monitor/poll/selection.h"

#define LONG_S  20.0
#define SHORT_S 0.3

static char program[64];
static tango_error_t error;

/* ---- the processes ---- */

static void answer_all(int listening, const char *identity, const char *query)
{
    char line[300];
    for (;;) {
        const int client = accept(listening, NULL, NULL);
        const ssize_t size = recv(client, line, sizeof line - 1, 0);
        line[size > 0 ? size : 0] = '\0';
        const char *text = strcmp(line, "Identify\n") == 0 ? identity : query;
        if (text)
            dprintf(client, "ok %zu\n%s", strlen(text), text);
        else
            dprintf(client, "error unknown\n");
        close(client);
    }
}

enum { OTHER_USER = 65534 };

/* Whose the next process is; 0: the test's own. */
static uid_t next_user;

static struct sockaddr_un address;
static socklen_t address_size;

/* Binds a socket as an agent's. Exits on failure. */
static int listen_as_agent(int backlog)
{
    const int listening = socket(AF_UNIX, SOCK_STREAM, 0);
    address.sun_family = AF_UNIX;
    const int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1,
                                "ska-tango-event-agent/%ld/0123456789abcdef", (long)getpid());
    address_size = (socklen_t)(sizeof address.sun_family + 1 + (size_t)length);
    if (bind(listening, (struct sockaddr *)&address, address_size) != 0 ||
        listen(listening, backlog) != 0)
        _exit(1);
    return listening;
}

/* What a forked process says when it listens. */
static int ready[2];

static void say_ready(void)
{
    if (write(ready[1], "", 1) != 1)
        _exit(1);
}

/* Forks; in the parent, waits until the child is ready. */
static pid_t fork_agent(void)
{
    char byte = 0;
    assert_int_equal(pipe(ready), 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        return 0;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

/* Answers Identify and QueryEventAgent with these. Ended with end(). */
static pid_t begin(const char *identity, const char *query)
{
    const pid_t pid = fork_agent();
    if (pid > 0)
        return pid;
    if (next_user != 0 && setuid(next_user) != 0)
        _exit(1);
    const int listening = listen_as_agent(4);
    say_ready();
    answer_all(listening, identity, query);
    return 0;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static pid_t begin_client(void)
{
    char *identity = memory_format("{\"pid\": 1, \"program\": \"%s\", \"admin_device\": null, "
                                   "\"tango_host\": \"h:1\"}",
                                   program);
    const pid_t pid = begin(identity, "{\"version\": 1}");
    free(identity);
    return pid;
}

/* ---- names ---- */

static void assert_parsed(const char *name, pid_t pid, const char *parsed_program)
{
    local_name_t parsed;
    assert_true(local_name_is(name));
    assert_true(local_name_parse(name, &parsed));
    assert_int_equal(parsed.pid, pid);
    if (parsed_program)
        assert_string_equal(parsed.program, parsed_program);
    else
        assert_null(parsed.program);
    local_name_clear(&parsed);
}

static void test_names(void **state)
{
    (void)state;
    assert_parsed("pid:1234", 1234, NULL);
    assert_parsed("client:a.py", 0, "a.py");
    assert_parsed("client:a.py:12", 12, "a.py");
    assert_parsed("client:a:b", 0, "a:b");
    assert_parsed("client::5", 0, ":5");
    static const char *const wrong[] = {"pid:",   "pid:0",           "pid:-1",
                                        "pid:1x", "pid:12345678901", "client:"};
    local_name_t parsed;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_true(local_name_is(wrong[i]));
        assert_false(local_name_parse(wrong[i], &parsed));
    }
    assert_false(local_name_is("foo/bar/pub"));
    assert_false(local_name_is("dserver/client:a/1"));
}

/* ---- what it says that it is ---- */

static void assert_identified(const char *identity, const char *expected_program,
                              const char *expected_admin)
{
    local_process_t process;
    const pid_t pid = begin(identity, NULL);
    const bool good = local_process_identify(pid, LONG_S, &process, &error);
    end(pid);
    assert_int_equal(good, expected_program != NULL);
    if (expected_program)
        assert_string_equal(process.program, expected_program);
    else
        assert_non_null(error.text);
    if (expected_admin)
        assert_string_equal(process.admin, expected_admin);
    else
        assert_null(process.admin);
    local_process_clear(&process);
    tango_error_clear(&error);
}

static void test_identities(void **state)
{
    (void)state;
    assert_identified("{\"program\": \"a.py\", \"admin_device\": \"dserver/a/1\"}", "a.py",
                      "dserver/a/1");
    assert_identified("{\"program\": \"a\", \"program\": \"b\", \"x\": {\"program\": \"c\"}}", "b",
                      NULL);
    assert_identified("{\"program\": \"a\\n\\u001b[31m\", \"admin_device\": \"x/y/z\"}", "a??[31m",
                      NULL);
    assert_identified("", NULL, NULL);
    assert_identified("[]", NULL, NULL);
    assert_identified("{\"program\": null}", NULL, NULL);
    assert_identified("{\"program\": \"\"}", NULL, NULL);
    assert_identified("{\"program\": \"a\"", NULL, NULL);
    assert_identified("{\"program\": \"\xff\"}", NULL, NULL);
    assert_identified(NULL, NULL, NULL);
}

/* ---- links ---- */

static link_t *link_to(char *name)
{
    const target_t target = {.name = name};
    return link_new(&target, LONG_S);
}

/* Connects to a server, and compares how it is named. */
static void assert_named(const char *identity, const char *query, const char *expected)
{
    const pid_t pid = begin(identity, query);
    char *name = memory_format("pid:%ld", (long)pid);
    link_t *link = link_to(name);
    tango_admin_t admin = {0};
    assert_true(link_connect(link, &admin, &error));
    assert_true(link_is_connected(link));
    assert_string_equal(admin.name, expected);
    link_destroy(&link);
    tango_admin_clear(&admin);
    free(name);
    end(pid);
}

static void test_a_server_is_named_as_its_streams_are(void **state)
{
    (void)state;
    static const char with[] = "{\"program\": \"p\", \"admin_device\": \"dserver/p/1\", "
                               "\"tango_host\": \"db:10000\"}";
    static const char without[] = "{\"program\": \"p\", \"admin_device\": \"dserver/p/1\"}";
    static const char stream[] = "{\"version\": 1, \"server\": {\"event_counters\": "
                                 "{\"tango://h:5/a/b/c/d#dbase=no.change\":"
                                 " 1}}}";
    static const char none[] = "{\"version\": 1}";
    assert_named(with, none, "tango://db:10000/dserver/p/1");
    assert_named(with, stream, "tango://h:5/dserver/p/1#dbase=no");
    assert_named(without, stream, "tango://h:5/dserver/p/1#dbase=no");
    assert_named(without, none, "dserver/p/1");
    assert_named(without, "not JSON", "dserver/p/1");
}

static void assert_asks(link_t *link, bool answers, const char *reason)
{
    size_t size = 0;
    char *answer = link_call_string(link, "QueryEventAgent", &size, &error);
    assert_int_equal(answer != NULL, answers);
    if (reason)
        assert_string_equal(error.text, reason);
    free(answer);
    tango_error_clear(&error);
}

static void test_a_client_comes_again(void **state)
{
    (void)state;
    char *name = memory_format("client:%s", program);
    link_t *link = link_to(name);
    tango_admin_t admin = {0};
    assert_false(link_connect(link, &admin, &error));
    assert_string_equal(error.text, REASON_NO_CLIENT);
    tango_error_clear(&error);
    const pid_t first = begin_client();
    assert_true(link_connect(link, &admin, &error));
    assert_string_equal(admin.name, name);
    assert_int_equal(link_process(link), first);
    assert_asks(link, true, NULL);
    end(first);
    assert_asks(link, false, REASON_NO_CLIENT);
    if (geteuid() == 0) { /* only root may ask others' */
        next_user = OTHER_USER;
        const pid_t of_another_user = begin_client();
        next_user = 0;
        assert_asks(link, false, REASON_NO_CLIENT);
        end(of_another_user);
    }
    const pid_t second = begin_client();
    assert_asks(link, true, NULL);
    assert_int_equal(link_process(link), second);
    end(second);
    link_destroy(&link);
    tango_admin_clear(&admin);
    free(name);
}

static void test_a_number_is_that_process_only(void **state)
{
    (void)state;
    const pid_t pid = begin_client();
    char *name = memory_format("client:other:%ld", (long)pid);
    link_t *link = link_to(name);
    tango_admin_t admin = {0};
    assert_false(link_connect(link, &admin, &error));
    assert_non_null(strstr(error.text, "runs another program"));
    tango_error_clear(&error);
    link_destroy(&link);
    free(name);

    name = memory_format("pid:%ld", (long)pid);
    link = link_to(name);
    assert_true(link_connect(link, &admin, &error));
    assert_non_null(strstr(admin.name, program));
    end(pid);
    const pid_t other = begin_client();
    assert_asks(link, false, REASON_ENDED);
    end(other);
    link_destroy(&link);
    tango_admin_clear(&admin);
    free(name);
}

static void test_what_was_found_keeps_its_name(void **state)
{
    (void)state;
    char *identity = memory_format("{\"program\": \"%s:12\"}", program);
    const pid_t pid = begin(identity, NULL);
    char *name = memory_format("client:%s:12", program);
    const target_t target = {.name = name, .pid = pid, .is_local = true};
    link_t *link = link_new(&target, LONG_S);
    tango_admin_t admin = {0};
    assert_true(link_connect(link, &admin, &error));
    assert_string_equal(admin.name, name);
    assert_int_equal(link_process(link), pid);
    end(pid);
    link_destroy(&link);
    tango_admin_clear(&admin);
    free(identity);
    free(name);
}

/* So that --local lets go of it. */
static void test_what_was_found_has_ended_before_it_answered(void **state)
{
    (void)state;
    const pid_t pid = begin_client();
    char *name = memory_format("pid:%ld", (long)pid);
    const target_t target = {.name = name, .pid = pid, .is_local = true};
    link_t *link = link_new(&target, LONG_S);
    tango_admin_t admin = {0};
    end(pid);
    assert_false(link_connect(link, &admin, &error));
    assert_string_equal(error.text, REASON_ENDED);
    tango_error_clear(&error);
    link_destroy(&link);
    free(name);
}

/* ---- selections ---- */

/* The names of the targets, with a blank between them, as far as the program is in them. */
static char *select_by(char *name, char *excluded)
{
    char *why = NULL;
    const selection_options_t options = {
        .names = &name,
        .name_count = name ? 1 : 0,
        .local = !name,
        .excluded = &excluded,
        .excluded_count = excluded ? 1 : 0,
        .timeout = SHORT_S,
    };
    selection_t made = selection_make(&options, -1, &why);
    char *text = memory_string("");
    for (size_t i = 0; i < made.count; i++) {
        if (!strstr(made.targets[i].name, program))
            continue;
        char *longer = memory_format("%s %s", text, made.targets[i].name);
        free(text);
        text = longer;
    }
    free(why);
    selection_clear(&made);
    return text;
}

static void assert_selected(char *name, char *excluded, const char *expected)
{
    char *text = select_by(name, excluded);
    assert_string_equal(text, expected);
    free(text);
}

static void test_selections(void **state)
{
    (void)state;
    char *name = memory_format("client:%s", program);
    char *pattern = memory_format("client:%.*s*", (int)strlen(program) - 1, program);
    char *one = memory_format(" %s", name);
    assert_selected(name, NULL, one);
    assert_selected(pattern, NULL, "");
    const pid_t first = begin_client();
    assert_selected(name, NULL, one);
    assert_selected(pattern, NULL, one);
    assert_selected(NULL, NULL, one);
    assert_selected(NULL, name, "");
    const pid_t second = begin_client();
    char *both = memory_format(" %s:%ld %s:%ld", name, (long)(first < second ? first : second),
                               name, (long)(first < second ? second : first));
    char *other = memory_format("pid:%ld", (long)first);
    char *rest = memory_format(" %s:%ld", name, (long)second);
    assert_selected(name, NULL, both);
    assert_selected(pattern, NULL, both);
    assert_selected(NULL, NULL, both);
    assert_selected(name, other, rest);
    assert_selected(NULL, other, rest);
    end(first);
    end(second);
    char *const texts[] = {name, pattern, one, both, other, rest};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
}

/* Listens as an agent does, and lets nobody in. */
static pid_t begin_full(void)
{
    const pid_t pid = fork_agent();
    if (pid > 0)
        return pid;
    listen_as_agent(0);
    while (connect(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), (struct sockaddr *)&address,
                   address_size) == 0)
        ;
    say_ready();
    for (;;)
        pause();
}

/* However many let nobody in, all are asked in the time that is given. */
static void test_many_that_let_nobody_in(void **state)
{
    (void)state;
    pid_t pids[100];
    for (size_t i = 0; i < sizeof pids / sizeof *pids; i++)
        pids[i] = begin_full();
    const double before = monotonic_seconds();
    local_processes_t all = local_processes_find(0.5, NULL, NULL);
    assert_true(monotonic_seconds() - before < 10); /* 100 times 0.2 s would be 20 */
    assert_true(all.count >= sizeof pids / sizeof *pids);
    local_processes_clear(&all);
    for (size_t i = 0; i < sizeof pids / sizeof *pids; i++)
        end(pids[i]);
}

/* ---- those that begin later ---- */

/* Searches until a process is found; says whether another one was found, too. */
static bool finds_beside(finder_t *finder, pid_t wanted, pid_t other)
{
    bool found = false;
    bool others = false;
    const double deadline = monotonic_seconds() + LONG_S;
    while (!found) {
        assert_true(monotonic_seconds() < deadline);
        local_processes_t some = finder_take(finder);
        for (size_t i = 0; i < some.count; i++) {
            found |= some.items[i].pid == wanted;
            others |= some.items[i].pid == other;
        }
        local_processes_clear(&some);
        usleep(1000);
    }
    return others;
}

/* After detach, and until somebody attaches again. */
static void test_one_that_counts_nothing_is_not_watched(void **state)
{
    (void)state;
    char *why = NULL;
    finder_t *finder = finder_new(LONG_S, &why);
    char *identity =
        memory_format("{\"pid\": 1, \"program\": \"%s\", \"state\": \"detached\"}", program);
    const pid_t detached = begin(identity, "{\"version\": 1}");
    const pid_t watching = begin_client();
    assert_false(finds_beside(finder, watching, detached));
    char *one = memory_format(" client:%s:%ld", program, (long)watching);
    assert_selected(NULL, NULL, one);
    free(one);
    assert_true(finder_destroy(&finder));
    end(detached);
    end(watching);
    free(identity);
}

static void test_each_is_found_once_unless_it_is_wanted_again(void **state)
{
    (void)state;
    char *why = NULL;
    finder_t *finder = finder_new(LONG_S, &why);
    assert_non_null(finder);
    const pid_t first = begin_client();
    assert_false(finds_beside(finder, first, -1));
    const pid_t second = begin_client();
    assert_false(finds_beside(finder, second, first));
    finder_find_again(finder, first);
    assert_false(finds_beside(finder, first, second));
    assert_true(finder_destroy(&finder));
    end(first);
    end(second);
}

static int setup(void **state)
{
    (void)state;
    fake_servers_clear();
    snprintf(program, sizeof program, "test_local_process.%ld", (long)getpid());
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_identities),
        cmocka_unit_test(test_a_server_is_named_as_its_streams_are),
        cmocka_unit_test(test_a_client_comes_again),
        cmocka_unit_test(test_a_number_is_that_process_only),
        cmocka_unit_test(test_what_was_found_keeps_its_name),
        cmocka_unit_test(test_what_was_found_has_ended_before_it_answered),
        cmocka_unit_test(test_selections),
        cmocka_unit_test(test_many_that_let_nobody_in),
        cmocka_unit_test(test_one_that_counts_nothing_is_not_watched),
        cmocka_unit_test(test_each_is_found_once_unless_it_is_wanted_again),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
