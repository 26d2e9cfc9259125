#include "monitor/poll/check_endpoint.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/monotonic.h"
#include "response/endpoint.h"

static void set(check_t *check, check_outcome_t outcome, const char *text)
{
    check->outcome = outcome;
    free(check->text);
    check->text = memory_string(text);
}

static void set_errno(check_t *check, int number)
{
    switch (number) {
    case ECONNREFUSED:
        set(check, CHECK_REFUSED, "connection refused");
        break;
    case ECONNRESET:
        set(check, CHECK_REFUSED, "connection reset");
        break;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EACCES: /* a route that is prohibited, or a firewall's answer */
    case EPERM:
    case EADDRNOTAVAIL:
        set(check, CHECK_UNREACHABLE, strerror(number));
        break;
    case ETIMEDOUT:
        set(check, CHECK_TIMED_OUT, "connection timed out");
        break;
    default: /* EMFILE and the like: our own trouble */
        set(check, CHECK_UNDONE, strerror(number));
        break;
    }
}

/* Begins to connect. Returns the socket, or -1: the check is done. */
static int begin(check_t *check)
{
    endpoint_t endpoint;
    if (!endpoint_parse(check->subject, &endpoint)) {
        set(check, CHECK_NO_ADDRESS, "not an endpoint of TCP");
        return -1;
    }
    if (endpoint_address_kind(&endpoint) == ADDRESS_WILDCARD) {
        set(check, CHECK_NO_ADDRESS, "the wildcard is no address that can be connected to");
        return -1;
    }
    char port[8];
    snprintf(port, sizeof port, "%u", endpoint.port);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    const int failed = getaddrinfo(endpoint.host, port, &hints, &found);
    if (failed) {
        const bool unknown = failed == EAI_NONAME || failed == EAI_FAIL || failed == EAI_NODATA;
        set(check, unknown ? CHECK_NO_NAME : CHECK_UNDONE, gai_strerror(failed));
        return -1;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        set_errno(check, errno);
    } else if (connect(fd, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS) {
        set_errno(check, errno);
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

/* The socket is connected, or has failed to. */
static void finish(check_t *check, int fd)
{
    int number = 0;
    socklen_t size = sizeof number;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size) != 0)
        number = errno;
    if (number == 0)
        set(check, CHECK_GOOD, "takes connections");
    else
        set_errno(check, number);
}

/* fds has one for each check, and the one that stops us. Returns how many are still waited for. */
static size_t finish_ready(check_t *checks, size_t count, struct pollfd *fds)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        if (fds[i].fd >= 0 && fds[i].revents) {
            finish(&checks[i], fds[i].fd);
            close(fds[i].fd);
            fds[i].fd = -1;
        }
        left += fds[i].fd >= 0;
    }
    return left;
}

void check_endpoints(check_t *checks, size_t count, int stop_fd)
{
    struct pollfd *fds = memory_new(count + 1, sizeof *fds);
    fds[count] = (struct pollfd){.fd = stop_fd, .events = POLLIN};
    for (size_t i = 0; i < count; i++)
        fds[i] = (struct pollfd){.fd = begin(&checks[i]), .events = POLLOUT};
    const int64_t deadline_ns = monotonic_ns() + CHECK_ENDPOINT_SECONDS * NS_PER_SECOND;
    while (finish_ready(checks, count, fds) > 0 && !fds[count].revents) {
        const int64_t left_ns = deadline_ns - monotonic_ns();
        const struct timespec wait = monotonic_timespec(left_ns > 0 ? left_ns : 0);
        if (left_ns <= 0 || (ppoll(fds, count + 1, &wait, NULL) < 0 && errno != EINTR))
            break;
    }
    for (size_t i = 0; i < count; i++) {
        if (fds[i].fd < 0)
            continue;
        if (fds[count].revents)
            set(&checks[i], CHECK_UNDONE, "the monitor was told to stop");
        else
            set(&checks[i], CHECK_TIMED_OUT, "no connection within 3 s");
        close(fds[i].fd);
    }
    free(fds);
}
