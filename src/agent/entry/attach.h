/*
 * attach: makes the agent begin to watch the libtango of this process. All entries end here:
 * preload.c today; later those for a running process, and for clients that never start a server.
 *
 * It guarantees:
 * - Any thread may call it, any number of times, also several at once: the first call that finds a
 *   libtango does the work, the others wait for it and return the same.
 * - Events may already flow, and subscriptions be made: each of libtango's slots is replaced by one
 *   store, after the hook knows what it contained, and other threads call either. A message on its
 *   way is not counted; the next one is.
 * - It throws nothing, keeps no lock, and does nothing in a process without libtango.
 * - What happened before isn't known, and isn't guessed: published streams count from the counter
 *   of their next event, topics that were subscribed before are added with their next event (until
 *   a client of this process subscribes to another), and their callbacks and channels are null.
 *
 * Don't call it from a library's constructor: the loader holds its lock there, which this needs.
 *
 * Limits:
 * - A channel from before isn't added with its next heartbeat, only when it is reconnected.
 * - Earlier subscriptions that are not connected are missing in "not_connected", which isn't null
 *   then.
 * - A topic from before whose first event arrives after a client's next subscription isn't added;
 *   its events are counted as those of an unknown topic.
 * - The commands are not added: see commands_add, which waits for the admin device. A process
 *   without one has no way to ask for the counts.
 * - The environment is read at the first call, whatever comes of it; a running process can't be
 *   configured otherwise.
 * - A slot that the loader binds at that very moment, because its function is called for the first
 *   time and libtango was linked with lazy binding, may lose its hook again.
 */
#ifndef STEM_AGENT_ATTACH_H
#define STEM_AGENT_ATTACH_H

#include "agent/tango/libtango.h"

typedef enum {
    ATTACH_WATCHING,     /* its events are watched, as far as libtango has slots for that */
    ATTACH_SWITCHED_OFF, /* by SKA_TANGO_EVENT_AGENT in the environment */
    ATTACH_NO_LIBTANGO,  /* there is no libtango, or none that can be read */
    ATTACH_ANOTHER /* another libtango of this process is already watched, and only one can be */
} attach_result_t;

/*
 * server_init: the Tango::Util::server_init of the wanted libtango, see libtango_find_server_init;
 * NULL for the one that is already watched, or otherwise the first that is loaded. If there is
 * none, or it can't be read, a later call tries again.
 */
attach_result_t attach(libtango_server_init_t *server_init);

#endif
