#include "process/agent_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "process/agent_address.h"
#include "process/namespaces.h"
#include "process/seconds.h"
#include "process/user_name.h"

/* More than an agent's largest answer: 92 MiB. */
enum { ANSWER_MAX = 128 << 20, HEAD_SIZE = 256 };

/* How long to wait where as many others wait to be let in as may. */
#define AGAIN_NS 2000000

/* ---- the connection ---- */

pid_t *agent_socket_find(size_t *count, size_t *forbidden)
{
    return agent_address_find(count, forbidden);
}

unsigned long long agent_socket_began(pid_t pid)
{
    return agent_address_began(pid);
}

uid_t agent_socket_user(pid_t pid)
{
    uid_t user;
    gid_t group;
    return agent_address_user(pid, &user, &group) ? user : (uid_t)-1;
}

/* Who listens at the other end; its pid is 0 if that can't be seen from here. */
static struct ucred peer_of(int connection)
{
    struct ucred peer = {0};
    socklen_t size = sizeof peer;
    if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        peer.pid = 0;
    return peer;
}

/* How to get to a process's sockets. */
typedef struct {
    pid_t pid;
    uid_t user;
    gid_t group;
    bool is_away; /* its namespaces have to be entered, or its user to be become */
    double deadline;
} way_t;

/* From here without waiting: the others are to be tried as well. */
static int connect_by(const way_t *way, const char *name)
{
    return way->is_away
               ? namespaces_connect_there(way->pid, way->user, way->group, name, way->deadline)
               : namespaces_connect_here(name, 0);
}

/* Tries each of its addresses, of which others may have bound or made up any number. The
 * connection; or -1 with an errno, 0 if it has none. */
static int connect_to_any(const way_t *way, const agent_address_t *addresses, size_t count,
                          int *number)
{
    *number = 0;
    for (size_t i = 0; i < count && (i == 0 || seconds_now() < way->deadline); i++) {
        const int made = connect_by(way, addresses[i].name);
        if (made >= 0 && peer_of(made).pid == way->pid)
            return made;
        if (made >= 0)
            close(made);
        else if (*number == 0 || errno != ECONNREFUSED)
            *number = errno;
    }
    return -1;
}

static agent_socket_result_t fail(char *error, size_t error_size, agent_socket_result_t result,
                                  const char *why)
{
    snprintf(error, error_size, "%s", why);
    return result;
}

/* Why none of its sockets could be connected to; number: of the last one's errno, or 0. */
static agent_socket_result_t explain(int number, char *error, size_t error_size)
{
    if (number == ETIMEDOUT)
        return fail(error, error_size, AGENT_SOCKET_TIMEOUT, "no answer in time");
    if (number == EPERM || number == EACCES)
        return fail(error, error_size, AGENT_SOCKET_FORBIDDEN,
                    "its network namespace can't be entered: run this as root");
    if (number == EMFILE || number == ENFILE || number == ENOMEM)
        return fail(error, error_size, AGENT_SOCKET_FAILED, strerror(number));
    return fail(error, error_size, AGENT_SOCKET_NO_AGENT, "it has no agent that can be asked");
}

static agent_socket_result_t forbid(uid_t user, char *error, size_t error_size)
{
    char name[64];
    user_name(user, name, sizeof name);
    snprintf(error, error_size, "it belongs to user %s: run this as that user, or as root", name);
    return AGENT_SOCKET_FORBIDDEN;
}

agent_socket_result_t agent_socket_connect(pid_t pid, double timeout_seconds, int *connection,
                                           char *error, size_t error_size)
{
    const struct timespec moment = {.tv_nsec = AGAIN_NS};
    way_t way = {.pid = pid, .deadline = seconds_now() + timeout_seconds};
    int number = 0;
    *connection = -1;
    if (pid <= 0 || !agent_address_user(pid, &way.user, &way.group))
        return fail(error, error_size, AGENT_SOCKET_NO_PROCESS, "no such process");
    way.is_away = namespaces_differ(pid, "net") ||
                  (geteuid() == 0 && way.user != 0 && namespaces_differ(pid, "user"));
    size_t count = 0;
    agent_address_t *addresses = agent_address_of(pid, &count);
    *connection = connect_to_any(&way, addresses, count, &number);
    while (*connection < 0 && number == ETIMEDOUT && seconds_now() < way.deadline) {
        nanosleep(&moment, NULL);
        *connection = connect_to_any(&way, addresses, count, &number);
    }
    free(addresses);
    if (*connection < 0)
        return explain(number, error, error_size);
    /* Whether the user of another namespace is let in, only the agent can decide. */
    const uid_t user = peer_of(*connection).uid;
    if (way.is_away || geteuid() == 0 || user == geteuid())
        return AGENT_SOCKET_OK;
    close(*connection);
    *connection = -1;
    return forbid(user, error, error_size);
}

/* ---- a request ---- */

/* So many bytes, or up to the end of a line if only_line, by the deadline. */
static agent_socket_result_t receive(int connection, char *data, size_t size, bool only_line,
                                     double deadline)
{
    for (size_t at = 0; at < size;) {
        struct pollfd wait = {.fd = connection, .events = POLLIN};
        const double left = deadline - seconds_now();
        if (left <= 0 || poll(&wait, 1, (int)(left * 1000) + 1) == 0)
            return AGENT_SOCKET_TIMEOUT;
        ssize_t got = recv(connection, data + at, only_line ? 1 : size - at, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (got <= 0) /* it lets in neither us, nor anybody of our user, if it says nothing */
            return only_line && at == 0 ? AGENT_SOCKET_FORBIDDEN : AGENT_SOCKET_FAILED;
        at += (size_t)got;
        if (only_line && data[at - 1] == '\n') {
            data[at - 1] = '\0';
            return AGENT_SOCKET_OK;
        }
    }
    return only_line ? AGENT_SOCKET_FAILED : AGENT_SOCKET_OK;
}

/* The number of "ok NUMBER"; SIZE_MAX if it is none, or too large. */
static size_t size_in(const char *head)
{
    static const char digits[] = "0123456789";
    const size_t length = strspn(head + 3, digits);
    if (strncmp(head, "ok ", 3) != 0 || length == 0 || length > 9 || head[3 + length] != '\0')
        return SIZE_MAX;
    const size_t size = strtoul(head + 3, NULL, 10);
    return size <= ANSWER_MAX ? size : SIZE_MAX;
}

static agent_socket_result_t receive_answer(int connection, const char *head, double deadline,
                                            char **answer, size_t *answer_size)
{
    *answer_size = size_in(head);
    if (*answer_size == SIZE_MAX)
        return AGENT_SOCKET_FAILED;
    *answer = malloc(*answer_size + 1);
    if (*answer == NULL)
        return AGENT_SOCKET_FAILED;
    (*answer)[*answer_size] = '\0';
    return receive(connection, *answer, *answer_size, false, deadline);
}

/* In one line, whatever the other end has sent. */
static void take_error(char *error, size_t error_size, const char *text)
{
    snprintf(error, error_size, "%s", text);
    for (char *c = error; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
}

static const char *text_of(agent_socket_result_t result, int connection)
{
    if (result == AGENT_SOCKET_TIMEOUT)
        return "no answer in time";
    if (result != AGENT_SOCKET_FORBIDDEN)
        return "the answer can't be read";
    return geteuid() == 0 || peer_of(connection).uid == geteuid()
               ? "it closed the connection: it is ending, or doesn't let this user in"
               : "it doesn't let this user in: run this as its own, or as root";
}

void agent_socket_send(int connection, const char *request)
{
    char line[HEAD_SIZE];
    snprintf(line, sizeof line, "%.250s\n", request);
    /* It is short, and goes out at once. */
    if (send(connection, line, strlen(line), MSG_NOSIGNAL) != (ssize_t)strlen(line))
        shutdown(connection, SHUT_WR);
}

agent_socket_result_t agent_socket_receive(int connection, double timeout_seconds, char **answer,
                                           size_t *answer_size, char *error, size_t error_size)
{
    char head[HEAD_SIZE];
    const double deadline = seconds_now() + timeout_seconds;
    *answer = NULL;
    *answer_size = 0;
    agent_socket_result_t result = receive(connection, head, sizeof head, true, deadline);
    if (result == AGENT_SOCKET_OK && strncmp(head, "error ", 6) == 0) {
        take_error(error, error_size, head + 6);
        return AGENT_SOCKET_REFUSED;
    }
    if (result == AGENT_SOCKET_OK)
        result = receive_answer(connection, head, deadline, answer, answer_size);
    if (result == AGENT_SOCKET_OK)
        return result;
    free(*answer);
    *answer = NULL;
    snprintf(error, error_size, "%s", text_of(result, connection));
    return result;
}

agent_socket_result_t agent_socket_ask(int connection, const char *request, double timeout_seconds,
                                       char **answer, size_t *answer_size, char *error,
                                       size_t error_size)
{
    agent_socket_send(connection, request);
    return agent_socket_receive(connection, timeout_seconds, answer, answer_size, error,
                                error_size);
}
