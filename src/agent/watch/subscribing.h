/*
 * subscribing: the hooks where clients in this process subscribe and unsubscribe.
 *
 * Each replaces the function of libtango of the same name (see libtango.h), calls it, and keeps
 * track of the callbacks of each topic and of subscriptions that are not connected.
 */
#ifndef STEM_AGENT_SUBSCRIBING_H
#define STEM_AGENT_SUBSCRIBING_H

#include <stddef.h>

#include "agent/tango/libtango.h"

/* From now on, begin() is called each time before this process subscribes to something.
 * Async-signal- safe. */
void subscribing_begins_with(void (*begin)(void));

/* This thread sends a control command to the consumer thread, or another message of a single frame.
 * May set errno. */
void subscribing_command(const void *data, size_t size);

libtango_connect_event_t subscribing_connect_event;
libtango_async_subscription_t subscribing_async_subscription;
libtango_add_not_connected_t subscribing_add_not_connected;
libtango_stateless_failed_t subscribing_stateless_failed;
libtango_unsubscribe_event_t subscribing_unsubscribe_event;

#endif
