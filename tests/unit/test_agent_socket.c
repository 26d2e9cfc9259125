/* The agent's socket, as somebody who asks finds it: here it is opened by a thread of the test, or
 * by a process that it forks. It is ours, so no Tango is imitated. */
#include "cmocka_all.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "process/agent_socket.h"

/* Longer than anything here takes, but for what is to take longer than SHORT_S. */
#define LONG_S  20.0
#define SHORT_S 0.2

static char error[200];

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* An address as an agent in that process has it, of which number distinguishes several. */
static int listen_as(long pid, int number, int backlog)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1,
                                "ska-tango-event-agent/%ld/%016x", pid, (unsigned int)number);
    const int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const socklen_t size = (socklen_t)(sizeof address.sun_family + 1 + (size_t)length);
    assert_int_equal(bind(made, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(made, backlog), 0);
    return made;
}

/* Lets one in, reads its request and sends something. */
typedef struct {
    int listening;
    const char *answer; /* in full, with its head */
    size_t size;        /* 0: of the text */
    bool drips;         /* a byte at a time, until nobody listens any more */
    bool keeps_open;    /* until the other end closes it */
    char request[300];
    pthread_t thread;
} agent_t;

static void *serve(void *argument)
{
    agent_t *self = argument;
    const struct timespec moment = {.tv_nsec = 20000000};
    const int client = accept(self->listening, NULL, NULL);
    size_t length = 0;
    while (length + 1 < sizeof self->request && recv(client, self->request + length, 1, 0) == 1 &&
           self->request[length++] != '\n') {
    }
    const size_t size = self->size > 0 ? self->size : strlen(self->answer);
    for (size_t i = 0; self->drips && send(client, &self->answer[i % size], 1, MSG_NOSIGNAL) == 1;
         i++)
        nanosleep(&moment, NULL);
    if (!self->drips)
        (void)send(client, self->answer, size, MSG_NOSIGNAL);
    while (self->keeps_open && recv(client, self->request, 1, 0) > 0) {
    }
    close(client);
    return NULL;
}

/* Asks an agent; returns what came of it. The caller frees the answer. */
static agent_socket_result_t ask(agent_t *agent, double timeout, char **answer, size_t *size)
{
    int connection = -1;
    agent->listening = listen_as(getpid(), 1, 4);
    assert_int_equal(pthread_create(&agent->thread, NULL, serve, agent), 0);
    assert_int_equal(agent_socket_connect(getpid(), LONG_S, &connection, error, sizeof error),
                     AGENT_SOCKET_OK);
    const agent_socket_result_t result =
        agent_socket_ask(connection, "QueryEventAgent", timeout, answer, size, error, sizeof error);
    close(connection);
    pthread_join(agent->thread, NULL);
    close(agent->listening);
    return result;
}

static void test_answers(void **state)
{
    (void)state;
    char *answer = NULL;
    size_t size = 0;
    agent_t agent = {.answer = "ok 5\n{\0\n}!", .size = 10};
    assert_int_equal(ask(&agent, LONG_S, &answer, &size), AGENT_SOCKET_OK);
    assert_int_equal(size, 5);
    assert_memory_equal(answer, "{\0\n}!", 6);
    assert_string_equal(agent.request, "QueryEventAgent\n");
    free(answer);

    agent = (agent_t){.answer = "ok 0\n"};
    assert_int_equal(ask(&agent, LONG_S, &answer, &size), AGENT_SOCKET_OK);
    assert_string_equal(answer, "");
    free(answer);
}

static void test_refuses(void **state)
{
    (void)state;
    char *answer = NULL;
    size_t size = 0;
    agent_t agent = {.answer = "error no \33[31msuch command\n"};
    assert_int_equal(ask(&agent, LONG_S, &answer, &size), AGENT_SOCKET_REFUSED);
    assert_null(answer);
    assert_string_equal(error, "no ?[31msuch command");
}

static void test_garbage(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "ok\n",        "ok \n",          "ok -1\n",  "ok +1\n",
        "ok  1\n",     "ok 1 \n1",       "yes\n",    "ok 0x1",
        "\n",          "ok 134217729\n", "ok 1e3\n", "ok 99999999999999999999\n",
        "ok 9\nshort",
    };
    char *answer = NULL;
    size_t size = 0;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        agent_t agent = {.answer = answers[i]};
        assert_int_equal(ask(&agent, LONG_S, &answer, &size), AGENT_SOCKET_FAILED);
        assert_null(answer);
        assert_string_equal(error, "the answer can't be read");
    }
    /* A line without an end. */
    char *endless = calloc(1, 1000);
    memset(endless, 'o', 999);
    agent_t agent = {.answer = endless};
    assert_int_equal(ask(&agent, LONG_S, &answer, &size), AGENT_SOCKET_FAILED);
    free(endless);
}

static void test_closes(void **state)
{
    (void)state;
    char *answer = NULL;
    size_t size = 0;
    agent_t agent = {.answer = ""};
    assert_int_equal(ask(&agent, LONG_S, &answer, &size), AGENT_SOCKET_FORBIDDEN);
    assert_non_null(strstr(error, "closed the connection"));
}

/* However it spends the time, no more of it is taken. */
static void test_is_slow(void **state)
{
    (void)state;
    char *answer = NULL;
    size_t size = 0;
    agent_t agents[] = {
        {.answer = "", .keeps_open = true},
        {.answer = "ok 100000000\n", .keeps_open = true},
        {.answer = "o", .drips = true},
        {.answer = "ok 100000\n", .drips = true},
    };
    for (size_t i = 0; i < sizeof agents / sizeof *agents; i++) {
        const double start = now_s();
        assert_int_equal(ask(&agents[i], SHORT_S, &answer, &size), AGENT_SOCKET_TIMEOUT);
        assert_null(answer);
        assert_string_equal(error, "no answer in time");
        assert_true(now_s() - start >= SHORT_S);
        assert_true(now_s() - start < LONG_S / 2);
    }
}

/* As many wait as may: connecting would block. */
static void test_is_full(void **state)
{
    (void)state;
    int connections[8];
    const int listening = listen_as(getpid(), 1, 0);
    agent_socket_result_t result = AGENT_SOCKET_OK;
    size_t count = 0;
    double start = 0;
    while (result == AGENT_SOCKET_OK && count < 8) {
        start = now_s();
        result =
            agent_socket_connect(getpid(), SHORT_S, &connections[count++], error, sizeof error);
    }
    assert_int_equal(result, AGENT_SOCKET_TIMEOUT);
    assert_true(now_s() - start >= SHORT_S);
    while (count-- > 1)
        close(connections[count - 1]);
    close(listening);
}

static agent_socket_result_t connect_to(pid_t pid)
{
    int connection = -1;
    const agent_socket_result_t result =
        agent_socket_connect(pid, LONG_S, &connection, error, sizeof error);
    if (connection >= 0)
        close(connection);
    assert_int_equal(connection >= 0, result == AGENT_SOCKET_OK);
    return result;
}

/* A process that does something, and then waits until the test ends it. */
static pid_t fork_to(void (*prepare)(void))
{
    int ready[2];
    char byte = 0;
    assert_int_equal(pipe(ready), 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prepare();
        (void)!write(ready[1], "", 1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void do_nothing(void)
{
}

static void test_nobody(void **state)
{
    (void)state;
    const pid_t pid = fork_to(do_nothing);
    assert_int_equal(connect_to(pid), AGENT_SOCKET_NO_AGENT);
    assert_true(agent_socket_began(pid) > 0);
    kill(pid, SIGKILL);
    siginfo_t info;
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    assert_int_equal(agent_socket_began(pid), 0); /* though nobody has waited for it */
    end(pid);
    assert_int_equal(connect_to(pid), AGENT_SOCKET_NO_PROCESS);
    assert_int_equal(agent_socket_began(pid), 0);
    assert_int_equal(connect_to(0), AGENT_SOCKET_NO_PROCESS);
    assert_int_equal(connect_to(-1), AGENT_SOCKET_NO_PROCESS);
}

static int forged = -1;

/* Somebody else listens under the name of a process; and a socket of a process that has ended is
 * kept open by one that it has forked, while another has its number. */
static void test_forged(void **state)
{
    (void)state;
    const pid_t pid = fork_to(do_nothing);
    forged = listen_as(pid, 1, 4);
    assert_int_equal(connect_to(pid), AGENT_SOCKET_NO_AGENT);
    close(forged);
    end(pid);

    forged = listen_as(getpid(), 1, 4);
    const pid_t child = fork_to(do_nothing); /* which has it, too */
    close(forged);
    assert_int_equal(connect_to(getpid()), AGENT_SOCKET_NO_AGENT);
    assert_int_equal(connect_to(child), AGENT_SOCKET_NO_AGENT);
    /* One of its own is found beside it. */
    forged = listen_as(getpid(), 2, 4);
    assert_int_equal(connect_to(getpid()), AGENT_SOCKET_OK);
    close(forged);
    end(child);
}

enum { FORGERIES = 200 };

/* The list has a newline in an address as it is: so a stranger's address can have a line in it of
 * the very socket, but at another address. */
static void test_forged_lines(void **state)
{
    (void)state;
    int strangers[FORGERIES];
    struct stat socket_status;
    const int own = listen_as(getpid(), 1, 4);
    assert_int_equal(fstat(own, &socket_status), 0);
    for (int i = 0; i < FORGERIES; i++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        const int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1,
                                    "\n%x: 2 0 10000 1 1 %lu @ska-tango-event-agent/%ld/%016x", i,
                                    (unsigned long)socket_status.st_ino, (long)getpid(), i + 2);
        strangers[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(strangers[i], (struct sockaddr *)&address,
                              (socklen_t)(sizeof address.sun_family + 1 + (size_t)length)),
                         0);
    }
    assert_int_equal(connect_to(getpid()), AGENT_SOCKET_OK);
    for (int i = 0; i < FORGERIES; i++)
        close(strangers[i]);
    close(own);
}

/* Whether the processes that have an agent are these, among others. */
static bool is_found(pid_t pid)
{
    size_t count = 0;
    bool found = false;
    pid_t *pids = agent_socket_find(&count, NULL);
    for (size_t i = 0; i < count; i++) {
        found |= pids[i] == pid;
        assert_true(i == 0 || pids[i - 1] < pids[i]);
    }
    free(pids);
    return found;
}

static void listen_to_others(void)
{
    listen_as(getpid(), 3, 4);
}

static void test_finds(void **state)
{
    (void)state;
    assert_false(is_found(getpid()));
    const pid_t pid = fork_to(listen_to_others);
    assert_true(is_found(pid));
    assert_int_equal(connect_to(pid), AGENT_SOCKET_OK);
    end(pid);
    assert_false(is_found(pid));
}

static bool separated;

static void separate_network(void)
{
    separated = unshare(CLONE_NEWNET) == 0;
    listen_as(separated ? getpid() : 1, 4, 4);
}

static void separate_users(void)
{
    separated = unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
    listen_as(separated ? getpid() : 1, 5, 4);
}

/* As in a container: such an address belongs to a network namespace. Without the rights to make
 * one, here or in a namespace of users, nothing is tested. */
static void test_other_namespaces(void **state)
{
    (void)state;
    void (*const prepare[])(void) = {separate_network, separate_users};
    size_t tested = 0;
    for (size_t i = 0; i < sizeof prepare / sizeof *prepare; i++) {
        const pid_t pid = fork_to(prepare[i]);
        if (is_found(pid)) {
            assert_int_equal(connect_to(pid), AGENT_SOCKET_OK);
            tested++;
        }
        end(pid);
    }
    if (tested == 0)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),          cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_garbage),          cmocka_unit_test(test_closes),
        cmocka_unit_test(test_is_slow),          cmocka_unit_test(test_is_full),
        cmocka_unit_test(test_nobody),           cmocka_unit_test(test_forged),
        cmocka_unit_test(test_forged_lines),     cmocka_unit_test(test_finds),
        cmocka_unit_test(test_other_namespaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
