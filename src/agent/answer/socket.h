/*
 * socket: a Unix socket on which the agent answers requests from processes of the same user, or of
 * root, on the same machine.
 *
 * Its address is abstract, so that no file is left behind, and none has to be writable in a
 * container: "ska-tango-event-agent/PID/RANDOM", where PID is this process's as it knows it, and
 * RANDOM 16 hexadecimal digits, so that nobody else can take the address first. Clients find it in
 * /proc/PID/net/unix, and check with SO_PEERCRED who answers there.
 *
 * A request is a line, COMMAND or COMMAND ARGUMENT, of at most 255 bytes. A reply is a line,
 * "ok SIZE", followed by SIZE bytes; or "error TEXT". A connection takes any number of requests,
 * one after the other. It is closed when its client takes nothing of a reply for 10 s, or not all
 * of it within 60 s, and when there are too many (32): the longest unused one of the client that
 * has most of them.
 *
 * Who may ask: root, and a user that is this process's real, effective and saved one, as for
 * ptrace: who runs a setuid program doesn't own it. They are compared with each request, since a
 * server may change its user after it was started. In a user namespace (rootless containers), users
 * are as this process sees them: whoever started the container is its root. Users that it doesn't
 * see all have the same number, nobody's; there, that number isn't let in.
 *
 * The process's descriptors aren't ours: it may close them all, and give our numbers to files of
 * its own. So each is checked before it is used, by its address. If the process has closed the
 * socket, its address is gone at once; it is opened anew only if a client was connected meanwhile,
 * with which it is noticed. A child that was forked has no thread that would answer: there, the
 * descriptors are closed at once.
 */
#ifndef STEM_AGENT_SOCKET_H
#define STEM_AGENT_SOCKET_H

#include <stdbool.h>

#include "agent/answer/conversation.h"

/* Opens the socket. False on failure, with errno. */
bool socket_open(void);

/* Answers its clients in the calling thread, for ever; returns only if the socket can't be opened
 * again. One thread at a time may do so. */
void socket_serve(socket_handler_t *handler);

/* In a child, after a fork: closes the descriptors that it has inherited. Async-signal-safe. */
void socket_forget(void);

#endif
