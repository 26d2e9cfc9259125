/*
 * agent_socket: asks the agent in a process of this machine, through the socket that it opens there
 * (agent/answer/socket.h has the address and the protocol).
 *
 * Who answers is checked: it must be that process, and its user's or root's; other users may have
 * bound addresses that look alike. What it answers isn't trusted.
 */
#ifndef STEM_AGENT_SOCKET_CLIENT_H
#define STEM_AGENT_SOCKET_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef enum {
    AGENT_SOCKET_OK,
    AGENT_SOCKET_NO_PROCESS, /* there is no such process (any more) */
    AGENT_SOCKET_NO_AGENT,   /* it has no socket of an agent */
    AGENT_SOCKET_FORBIDDEN,  /* it isn't ours to ask */
    AGENT_SOCKET_TIMEOUT,    /* no answer in time */
    AGENT_SOCKET_REFUSED,    /* it answered with an error */
    AGENT_SOCKET_FAILED      /* anything else */
} agent_socket_result_t;

/*
 * The processes that have an agent's socket, by what /proc says of them, in the order of their ids;
 * also those in containers, as far as they can be seen. Those of other users are for root only;
 * *forbidden is how many there are (of those that seem to have one); it may be NULL. Whether they
 * answer isn't tried. The caller frees the list; NULL without memory, and then *count is 0.
 */
pid_t *agent_socket_find(size_t *count, size_t *forbidden);

/* When a process began, in clock ticks since the machine started: no other one has had this number
 * and its pid. 0: there is no such process. */
unsigned long long agent_socket_began(pid_t pid);

/* The effective user of a process; (uid_t)-1: there is no such process. */
uid_t agent_socket_user(pid_t pid);

/*
 * Connects to the agent of a process, by its pid as this process sees it; also into a container's
 * network namespace, if that is allowed. On success *connection is a descriptor, to be closed,
 * which doesn't block. Else error is one line without the process's name. An agent answers one
 * connection at a time: don't keep it open for longer than needed. May be called from any thread.
 */
agent_socket_result_t agent_socket_connect(pid_t pid, double timeout_seconds, int *connection,
                                           char *error, size_t error_size);

/*
 * Sends a request, such as "QueryEventAgent" or "EnableEventSystemPerfMon true", and waits for the
 * answer, both within the time: *answer is NUL-terminated, and may hold any bytes; the caller frees
 * it. Without AGENT_SOCKET_OK it is NULL, and error one line; the connection is of no use any more
 * but after AGENT_SOCKET_REFUSED.
 */
agent_socket_result_t agent_socket_ask(int connection, const char *request, double timeout_seconds,
                                       char **answer, size_t *answer_size, char *error,
                                       size_t error_size);

/*
 * The two halves of that, for somebody who asks several at the same time. A failure to send shows
 * in what is received.
 */
void agent_socket_send(int connection, const char *request);
agent_socket_result_t agent_socket_receive(int connection, double timeout_seconds, char **answer,
                                           size_t *answer_size, char *error, size_t error_size);

#endif
