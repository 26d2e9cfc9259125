/*
 * publishing: the hooks for what this process publishes.
 *
 * Each replaces the function of libtango or libzmq of the same name (see libtango.h), calls it, and
 * counts what passes.
 */
#ifndef STEM_AGENT_PUBLISHING_H
#define STEM_AGENT_PUBLISHING_H

#include "agent/tango/libtango.h"

/* For everything that threads send: events, and control commands with their replies. */
libtango_msg_send_t publishing_msg_send;

libtango_push_event_t publishing_push_event;

/* A stream gets its first subscriber. */
libtango_init_event_cptr_t publishing_init_event_cptr;

/* A client confirms its subscription. */
libtango_confirm_subscription_t publishing_confirm_subscription;

#endif
