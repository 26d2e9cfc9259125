/*
 * The agent's socket: one thread serves all clients, whatever each of them does. A process has one
 * such socket, so each test has a process of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/answer/conversation.h"
#include "agent/answer/socket.h"
#include "cmocka_all.h"

/* In the other process: ends it, and with it the test. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: it should be that %s\n", __FILE__, __LINE__, #condition);      \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

enum { BIG = 40 << 20, LONG_S = 60 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 }; /* by gcc */
#else
enum { SANITIZED = 0 };
#endif

static void in_another_process(void (*test)(void))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        test();
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* ---- the server ---- */

static atomic_int waiting_answers;
static atomic_int may_answer;

static char *handle(const char *command, const char *argument, const char **error)
{
    if (strcmp(command, "Echo") == 0)
        return strdup(argument);
    if (strcmp(command, "Big") == 0) {
        char *big = malloc(BIG + 1);
        CHECK(big);
        memset(big, 'b', BIG);
        big[BIG] = '\0';
        return big;
    }
    if (strcmp(command, "Wait") == 0) {
        const int number = atomic_fetch_add(&waiting_answers, 1) + 1;
        while (atomic_load(&may_answer) < number)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        return strdup("");
    }
    *error = "unknown command";
    return NULL;
}

static atomic_bool returned;

static void *serve(void *unused)
{
    (void)unused;
    socket_serve(handle);
    atomic_store(&returned, true);
    return NULL;
}

static void start_serving(void)
{
    pthread_t thread;
    CHECK(socket_open());
    CHECK(pthread_create(&thread, NULL, serve, NULL) == 0);
    CHECK(pthread_detach(thread) == 0);
}

/* ---- the client ---- */

/* The newest address of this kind of that process; false if there is none. */
static bool find_address(pid_t pid, struct sockaddr_un *address, socklen_t *size)
{
    char begin[64];
    char line[512];
    bool found = false;
    snprintf(begin, sizeof begin, "@ska-tango-event-agent/%ld/", (long)pid);
    FILE *file = fopen("/proc/self/net/unix", "re");
    CHECK(file);
    while (fgets(line, sizeof line, file)) {
        char *name = strstr(line, begin);
        if (!name || !strstr(line, " 00010000 ")) /* it listens */
            continue;
        name[strcspn(name, "\n")] = '\0';
        *address = (struct sockaddr_un){.sun_family = AF_UNIX};
        memcpy(address->sun_path + 1, name + 1, strlen(name) - 1);
        *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
        found = true;
    }
    fclose(file);
    return found;
}

static int try_to_connect(pid_t pid)
{
    struct sockaddr_un address;
    socklen_t size;
    if (!find_address(pid, &address, &size))
        return -1;
    int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(made >= 0);
    const struct timeval patience = {.tv_sec = LONG_S};
    setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    CHECK(connect(made, (struct sockaddr *)&address, size) == 0);
    return made;
}

static int connected(void)
{
    int made = try_to_connect(getpid());
    CHECK(made >= 0);
    return made;
}

static bool put(int client, const char *data, size_t size)
{
    return send(client, data, size, MSG_NOSIGNAL) == (ssize_t)size;
}

/* Reads so many bytes; fewer if the connection ends. */
static size_t take(int client, char *data, size_t size)
{
    size_t length = 0;
    while (length < size) {
        ssize_t got = recv(client, data + length, size - length, 0);
        if (got < 0 && errno != ECONNRESET)
            perror("recv");
        CHECK(got >= 0 || errno == ECONNRESET);
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    return length;
}

static bool takes(int client, const char *wanted)
{
    char data[512];
    size_t size = strlen(wanted);
    CHECK(size < sizeof data);
    return take(client, data, size) == size && memcmp(data, wanted, size) == 0;
}

static bool has_ended(int client)
{
    char byte;
    return take(client, &byte, 1) == 0;
}

static bool asks(int client)
{
    return put(client, "Echo hello\n", 11) && takes(client, "ok 5\nhello");
}

/* A new client gets an answer. */
static void check_that_it_answers(void)
{
    int client = connected();
    CHECK(asks(client));
    close(client);
}

static double cpu_seconds(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static void wait_a_moment(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

static size_t count_descriptors(void)
{
    size_t count = 0;
    for (int i = 0; i < 2048; i++)
        count += fcntl(i, F_GETFD) >= 0;
    return count;
}

/* ---- requests ---- */

static void requests(void)
{
    start_serving();
    int client = connected();
    CHECK(asks(client) && asks(client));
    CHECK(put(client, "Echo\n", 5) && takes(client, "ok 0\n"));
    CHECK(put(client, "Nonsense x\n", 11) && takes(client, "error unknown command\n"));
    CHECK(put(client, "\n", 1) && takes(client, "error unknown command\n"));
    CHECK(asks(client));
    /* Many at once, with one that isn't complete. */
    CHECK(put(client, "Echo 1\nEcho 2\nEcho 3\nEch", 24));
    CHECK(takes(client, "ok 1\n1ok 1\n2ok 1\n3") && put(client, "o 4\n", 4));
    CHECK(takes(client, "ok 1\n4"));
    /* The client says that it has nothing more to ask; it is answered all the same. */
    CHECK(put(client, "Echo 5\nEcho 6\n", 14) && shutdown(client, SHUT_WR) == 0);
    CHECK(takes(client, "ok 1\n5ok 1\n6") && has_ended(client));
}

static void test_requests(void **state)
{
    (void)state;
    in_another_process(requests);
}

static void bad_requests(void)
{
    static char longest[300];
    start_serving();
    memset(longest, 'x', sizeof longest);
    memcpy(longest, "Echo ", 5);
    longest[CONVERSATION_REQUEST_MAX] = '\n';
    int client = connected();
    CHECK(put(client, longest, CONVERSATION_REQUEST_MAX + 1) && takes(client, "ok 250\n"));
    longest[CONVERSATION_REQUEST_MAX] = 'x';
    client = connected();
    CHECK(put(client, longest, CONVERSATION_REQUEST_MAX + 1));
    CHECK(takes(client, "error the request is too long\n") && has_ended(client));
    client = connected();
    CHECK(put(client, "Echo \0x\nEcho x\n", 15));
    CHECK(takes(client, "error the request is no text\n") && has_ended(client));
    /* 10 MB without an end of line. */
    client = connected();
    for (int i = 0; i < 40000 && put(client, longest, 250); i++) {
    }
    CHECK(!put(client, longest, 250));
    check_that_it_answers();
}

static void test_bad_requests(void **state)
{
    (void)state;
    in_another_process(bad_requests);
}

/* What the agent replies to random requests in random parts, compared with what it should. */
static void test_random_requests(void **state)
{
    (void)state;
    srandom(7);
    for (int round = 0; round < 500; round++) {
        int ends[2];
        char sent[2000];
        char wanted[64000] = "";
        size_t size = 0;
        bool over = false;
        while (size + 300 < sizeof sent) {
            const char *kinds[] = {"Echo", "No", "", "Echo \001", "Echo  two"};
            const char *kind = kinds[random() % 100 < 97 ? random() % 3 : random() % 5];
            char *line = sent + size;
            size_t length = (size_t)sprintf(line, "%s", kind);
            size_t more = (size_t)(random() % (random() % 100 < 98 ? 8 : 290));
            if (length > 0 && more > 0)
                line[length++] = ' ';
            memset(line + length, 'y', more);
            length += more;
            line[length] = '\0';
            const char *argument = strchr(line, ' ') ? strchr(line, ' ') + 1 : "";
            char *want = wanted + strlen(wanted);
            if (over)
                ;
            else if (length > CONVERSATION_REQUEST_MAX)
                sprintf(want, "error the request is too long\n");
            else if (strchr(line, '\001'))
                sprintf(want, "error the request is no text\n");
            else if (strncmp(line, "Echo", 4) == 0 && (line[4] == ' ' || !line[4]))
                sprintf(want, "ok %zu\n%s", strlen(argument), argument);
            else
                sprintf(want, "error unknown command\n");
            over = over || length > CONVERSATION_REQUEST_MAX || strchr(line, '\001');
            line[length] = '\n';
            size += length + 1;
        }
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
        conversation_t conversation;
        conversation_begin(&conversation, ends[0], 0);
        bool goes_on = true;
        for (size_t at = 0; at < size && goes_on;) {
            size_t part = 1 + (size_t)random() % 400;
            part = part > size - at ? size - at : part;
            assert_int_equal(send(ends[1], sent + at, part, 0), (ssize_t)part);
            at += part;
            do {
                goes_on = conversation_read(&conversation);
                while (goes_on && conversation_is_asked(&conversation)) {
                    conversation_answer(&conversation, handle);
                    goes_on = conversation_send(&conversation);
                }
            } while (goes_on && recv(ends[0], &(char){0}, 1, MSG_PEEK) == 1);
        }
        assert_int_equal(goes_on, !over);
        char got[sizeof wanted] = "";
        ssize_t length = recv(ends[1], got, sizeof got - 1, 0);
        assert_true(length >= 0);
        assert_string_equal(got, wanted);
        conversation_end(&conversation, true);
        close(ends[1]);
    }
}

/* ---- clients that are in nobody's way ---- */

static void slow_clients(void)
{
    start_serving();
    int half = connected();
    CHECK(put(half, "Echo he", 7));
    int slow = connected();
    CHECK(put(slow, "Big\n", 4) && takes(slow, "ok 41943040\nbbbb"));
    int gone = connected();
    CHECK(put(gone, "Big\n", 4) && takes(gone, "ok"));
    close(gone);
    int unheard = connected();
    CHECK(put(unheard, "Echo x\n", 7));
    close(unheard);
    double before = cpu_seconds();
    for (int i = 0; i < 20; i++)
        check_that_it_answers();
    CHECK(cpu_seconds() - before < 5);
    CHECK(put(half, "llo\n", 4) && takes(half, "ok 5\nhello"));
    char *rest = malloc(BIG);
    CHECK(rest && take(slow, rest, BIG - 4) == BIG - 4 && rest[0] == 'b' && rest[BIG - 5] == 'b');
    CHECK(asks(slow));
    free(rest);
}

static void test_slow_clients(void **state)
{
    (void)state;
    in_another_process(slow_clients);
}

/* More answers than it keeps at a time: later ones wait until others were taken. */
static void many_big_answers(void)
{
    enum { CLIENTS = 8 };
    int clients[CLIENTS];
    struct rusage used;
    start_serving();
    char *answer = malloc(BIG);
    CHECK(answer);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = connected();
        CHECK(put(clients[i], "Big\n", 4));
    }
    /* All of them read, as clients do. */
    size_t got[CLIENTS] = {0};
    const size_t whole = strlen("ok 41943040\n") + BIG;
    for (int over = 0; over < CLIENTS;) {
        struct pollfd waits[CLIENTS];
        over = 0;
        for (int i = 0; i < CLIENTS; i++) {
            over += got[i] == whole;
            waits[i] = (struct pollfd){got[i] == whole ? -1 : clients[i], POLLIN, 0};
        }
        CHECK(over == CLIENTS || poll(waits, CLIENTS, LONG_S * 1000) > 0);
        for (int i = 0; i < CLIENTS; i++) {
            ssize_t more = waits[i].revents ? recv(clients[i], answer, BIG, 0) : 0;
            CHECK(waits[i].revents ? more > 0 : more == 0);
            got[i] += (size_t)more;
        }
    }
    getrusage(RUSAGE_SELF, &used);
    CHECK(SANITIZED || used.ru_maxrss < (BIG >> 10) * 7L);
    free(answer);
}

static void test_many_big_answers(void **state)
{
    (void)state;
    in_another_process(many_big_answers);
}

/* Who takes nothing of an answer for 10 s loses the connection, and nothing else needs a timer. */
static void stuck_client(void)
{
    start_serving();
    int stuck = connected();
    CHECK(put(stuck, "Big\n", 4));
    struct pollfd ended = {.fd = stuck, .events = POLLRDHUP};
    double before = cpu_seconds();
    CHECK(poll(&ended, 1, LONG_S * 1000) == 1);
    CHECK(cpu_seconds() - before <
          (SANITIZED ? 5 : 1)); /* the answer is made meanwhile, slowly under sanitizers */
    check_that_it_answers();
}

static void test_stuck_client(void **state)
{
    (void)state;
    in_another_process(stuck_client);
}

static void thousand_connections(void)
{
    start_serving();
    size_t before = count_descriptors();
    /* The client of another process keeps its connection, though it is the oldest. */
    int to_child[2], to_parent[2];
    CHECK(pipe(to_child) == 0 && pipe(to_parent) == 0);
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        socket_forget();
        int client = try_to_connect(parent);
        CHECK(client >= 0 && asks(client) && write(to_parent[1], "x", 1) == 1);
        CHECK(read(to_child[0], &(char){0}, 1) == 1);
        CHECK(asks(client));
        _exit(0);
    }
    CHECK(read(to_parent[0], &(char){0}, 1) == 1);
    static int clients[1000];
    for (int i = 0; i < 1000; i++)
        clients[i] = connected();
    CHECK(asks(clients[999]));
    CHECK(count_descriptors() < before + 1000 + 4 + 40);
    for (int i = 0; i < 900; i++)
        CHECK(has_ended(clients[i]));
    CHECK(write(to_child[1], "x", 1) == 1);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    for (int i = 0; i < 1000; i++)
        close(clients[i]);
    check_that_it_answers();
}

static void test_thousand_connections(void **state)
{
    (void)state;
    in_another_process(thousand_connections);
}

/* ---- the process ---- */

static void no_descriptor_left(void)
{
    start_serving();
    /* The client's is made first: it is the last one that there is. */
    struct sockaddr_un address;
    socklen_t size;
    CHECK(find_address(getpid(), &address, &size));
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    struct rlimit limit, none;
    CHECK(client >= 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
    none = limit;
    int next = dup(client);
    close(next);
    none.rlim_cur = (rlim_t)next;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    double before = cpu_seconds();
    CHECK(connect(client, (struct sockaddr *)&address, size) == 0);
    CHECK(put(client, "Echo x\n", 7));
    struct pollfd answered = {.fd = client, .events = POLLIN};
    CHECK(poll(&answered, 1, 2500) == 0);
    CHECK(cpu_seconds() - before < 0.5);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(takes(client, "ok 1\nx"));
}

static void test_no_descriptor_left(void **state)
{
    (void)state;
    in_another_process(no_descriptor_left);
}

/* A listening socket of the process's own. */
static int own_socket(struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int own = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(own >= 0);
    snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "not-the-agent-%ld",
             (long)getpid());
    CHECK(bind(own, (struct sockaddr *)address, sizeof *address) == 0 && listen(own, 8) == 0);
    return own;
}

/* The process gives the numbers of all its descriptors but one to one of them. */
static void replace_descriptors(int by, int but)
{
    for (int i = 3; i < 64; i++)
        if (i != by && i != but && fcntl(i, F_GETFD) >= 0)
            CHECK(dup2(by, i) == i);
}

static void numbers_of_somebody_else(void)
{
    struct sockaddr_un address;
    struct sockaddr_un gone;
    socklen_t size;
    start_serving();
    int client = connected();
    CHECK(asks(client));
    int own = own_socket(&address);
    double before = cpu_seconds();
    replace_descriptors(own, client);
    /* The address has gone at once, and the client's connection, too. */
    CHECK(!find_address(getpid(), &gone, &size) && has_ended(client));
    /* Who comes to ours isn't accepted by anybody else. */
    int caller = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(caller >= 0 && connect(caller, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(put(caller, "Echo x\n", 7));
    int accepted = accept(own, NULL, NULL);
    CHECK(accepted >= 0 && takes(accepted, "Echo x\n"));
    CHECK(cpu_seconds() - before < 0.5);
}

/* It is opened again if there is somebody who makes that noticed. */
static void some_numbers_of_somebody_else(void)
{
    struct sockaddr_un address;
    struct sockaddr_un found;
    socklen_t size;
    start_serving();
    CHECK(find_address(getpid(), &found, &size));
    int first = connected();
    CHECK(asks(first));
    int own = own_socket(&address);
    for (int i = 3; i < 64; i++) {
        struct sockaddr_un its = {0};
        socklen_t its_size = sizeof its;
        int listens = 0;
        socklen_t listens_size = sizeof listens;
        if (getsockname(i, (struct sockaddr *)&its, &its_size) == 0 && its_size == size &&
            memcmp(&its, &found, size) == 0 &&
            getsockopt(i, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_size) == 0 && listens)
            CHECK(dup2(own, i) == i);
    }
    CHECK(put(first, "Echo x\n", 7) && has_ended(first));
    for (int i = 0; !find_address(getpid(), &found, &size); i++) {
        CHECK(i < LONG_S * 200);
        wait_a_moment();
    }
    check_that_it_answers();
}

static void wait_for_waiting(int number)
{
    while (atomic_load(&waiting_answers) < number)
        wait_a_moment();
}

/* While another client's answer is being made, which was asked at the same time. */
static void numbers_of_somebody_else_meanwhile(void)
{
    struct sockaddr_un found;
    socklen_t size;
    int clients[3];
    int own[2];
    char left[8] = "";
    start_serving();
    CHECK(find_address(getpid(), &found, &size));
    for (size_t i = 0; i < 3; i++) {
        clients[i] = connected();
        CHECK(asks(clients[i]));
    }
    CHECK(put(clients[0], "Wait\n", 5));
    wait_for_waiting(1);
    CHECK(put(clients[1], "Wait\n", 5) && put(clients[2], "Echo x\n", 7));
    atomic_store(&may_answer, 1);
    wait_for_waiting(2);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, own) == 0);
    CHECK(put(own[1], "Echo y\n", 7));
    for (int i = 3; i < 64; i++) {
        struct sockaddr_un its = {0};
        socklen_t its_size = sizeof its;
        if (getsockname(i, (struct sockaddr *)&its, &its_size) == 0 && its_size == size &&
            memcmp(&its, &found, size) == 0)
            CHECK(dup2(own[0], i) == i);
    }
    atomic_store(&may_answer, 2);
    while (!find_address(getpid(), &found, &size))
        wait_a_moment();
    CHECK(recv(own[0], left, sizeof left, MSG_PEEK) == 7 && memcmp(left, "Echo y\n", 7) == 0);
    CHECK(recv(own[1], left, sizeof left, MSG_DONTWAIT) < 0); /* nor was it answered */
    check_that_it_answers();
}

static void test_numbers_of_somebody_else(void **state)
{
    (void)state;
    in_another_process(numbers_of_somebody_else_meanwhile);
    in_another_process(numbers_of_somebody_else);
    in_another_process(some_numbers_of_somebody_else);
}

/* A child keeps neither the address nor the connections of its parent. */
static void forked(void)
{
    start_serving();
    int client = connected();
    CHECK(asks(client));
    size_t before = count_descriptors();
    pid_t child = fork();
    if (child == 0) {
        socket_forget();
        CHECK(count_descriptors() == before - 3); /* the connection's, and two to wait */
        struct sockaddr_un address;
        socklen_t size;
        CHECK(!find_address(getpid(), &address, &size));
        if (!SANITIZED) { /* the thread sanitizer allows no threads here */
            start_serving();
            check_that_it_answers();
        }
        _exit(0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(asks(client));
    check_that_it_answers();
}

static void test_forked(void **state)
{
    (void)state;
    in_another_process(forked);
}

/* ---- who may ask ---- */

static void ask_as(uid_t user, bool may)
{
    pid_t server = getpid();
    pid_t child = fork();
    if (child == 0) {
        socket_forget();
        CHECK(seteuid(0) == 0 || geteuid() == user);
        CHECK(setresuid(user, user, user) == 0);
        int client = try_to_connect(server);
        CHECK(client >= 0);
        CHECK(may ? asks(client) : has_ended(client));
        _exit(0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void users(void)
{
    start_serving();
    ask_as(0, true);
    ask_as(4711, false);
    /* A server that can get its privileges back isn't that user's; one that has given them up is.
     */
    CHECK(setresuid(4711, 4711, 0) == 0);
    ask_as(4711, false);
    CHECK(setresuid(4711, 4711, 4711) == 0);
    ask_as(4711, true);
}

static void test_users(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    in_another_process(users);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_random_requests),
        cmocka_unit_test(test_slow_clients),
        cmocka_unit_test(test_many_big_answers),
        cmocka_unit_test(test_stuck_client),
        cmocka_unit_test(test_thousand_connections),
        cmocka_unit_test(test_no_descriptor_left),
        cmocka_unit_test(test_numbers_of_somebody_else),
        cmocka_unit_test(test_forked),
        cmocka_unit_test(test_users),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
