/*
 * receiving: the hooks of the consumer thread, which receives all events and executes the control
 * commands.
 *
 * Each replaces the function of libzmq of the same name (see libtango.h), calls it, and counts what
 * arrives.
 */
#ifndef STEM_AGENT_RECEIVING_H
#define STEM_AGENT_RECEIVING_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/tango/libtango.h"

/*
 * Whether a message of a single frame, of that size, which this thread sends, is the consumer
 * thread's reply to a control command, which is counted then. May set errno.
 */
bool receiving_replies(size_t size);

libtango_msg_recv_t receiving_msg_recv;
libtango_recvmsg_t receiving_recvmsg;
libtango_poll_t receiving_poll;

#endif
