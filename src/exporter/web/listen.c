#include "exporter/web/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"

/* How many connections wait while none is accepted; the kernel has a limit of its own. */
#define BACKLOG 1024

/* Both owned. */
typedef struct {
    char *host; /* NULL: all interfaces */
    char *port;
} parts_t;

static void clear(parts_t *self)
{
    free(self->host);
    free(self->port);
}

/* Takes an address apart; returns what is wrong with it, or NULL. */
static const char *take_apart(const char *address, parts_t *parts)
{
    const char *colon = strrchr(address, ':');
    if (!colon || strchr(colon, ']'))
        return "needs a port: HOST:PORT, or :PORT";
    size_t length = (size_t)(colon - address);
    const char *host = address;
    if (length > 0 && host[0] == '[') {
        if (length < 3 || host[length - 1] != ']')
            return "not HOST:PORT, or [IPV6]:PORT";
        host++;
        length -= 2;
    } else if (memchr(host, ':', length)) {
        return "an IPv6 address stands in brackets: [IPV6]:PORT";
    }
    const char *port = colon + 1;
    if (!*port || strlen(port) > 5 || port[strspn(port, "0123456789")] != '\0' ||
        strtol(port, NULL, 10) > UINT16_MAX)
        return "not a port, 0 to 65535";
    *parts = (parts_t){.host = length > 0 ? memory_copy(host, length) : NULL,
                       .port = memory_string(port)};
    return NULL;
}

char *listen_check(const char *address)
{
    parts_t parts = {0};
    const char *wrong = take_apart(address, &parts);
    clear(&parts);
    return memory_string(wrong);
}

/* The addresses of a name; NULL if there are none, and then *error says why. */
static struct addrinfo *look_up(const parts_t *parts, char **error)
{
    const struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
    };
    struct addrinfo *found = NULL;
    const int result = getaddrinfo(parts->host, parts->port, &hints, &found);
    if (result == 0)
        return found;
    *error = memory_string(result == EAI_SYSTEM ? strerror(errno) : gai_strerror(result));
    return NULL;
}

static int open_one(const struct addrinfo *address, bool is_any)
{
    const int on = 1;
    const int off = 0;
    const int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->ai_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, is_any ? &off : &on, sizeof on);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* Listens on the first address of that family; -1 and errno if that fails, or there is none. */
static int open_family(const struct addrinfo *all, int family, bool is_any)
{
    for (const struct addrinfo *one = all; one; one = one->ai_next)
        if (one->ai_family == family)
            return open_one(one, is_any);
    errno = EAFNOSUPPORT;
    return -1;
}

static const char *advice(int number)
{
    switch (number) {
    case EADDRINUSE:
        return ": end the program that does, or choose another port with --web.listen-address";
    case EACCES:
        return ": ports below 1024 need a privilege: choose a higher one";
    case EADDRNOTAVAIL:
        return ": no interface of this host has that address";
    default:
        return "";
    }
}

int listen_open(const char *address, char **error)
{
    parts_t parts = {0};
    char *why = memory_string(take_apart(address, &parts));
    struct addrinfo *found = why ? NULL : look_up(&parts, &why);
    int fd = -1;
    if (found) {
        const int first = parts.host ? AF_INET : AF_INET6;
        fd = open_family(found, first, !parts.host);
        if (fd < 0 && errno == EAFNOSUPPORT)
            fd = open_family(found, first == AF_INET ? AF_INET6 : AF_INET, !parts.host);
        if (fd < 0)
            why = memory_format("%s%s", strerror(errno), advice(errno));
        freeaddrinfo(found);
    }
    *error = why ? memory_format("can't listen on %s: %s", address, why) : NULL;
    free(why);
    clear(&parts);
    return fd;
}

char *listen_name(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char host[NI_MAXHOST] = "?";
    char port[NI_MAXSERV] = "?";
    if (getsockname(fd, (struct sockaddr *)&address, &size) == 0)
        (void)getnameinfo((struct sockaddr *)&address, size, host, sizeof host, port, sizeof port,
                          NI_NUMERICHOST | NI_NUMERICSERV);
    return memory_format(strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}
