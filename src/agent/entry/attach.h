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
 * - Of several copies of the agent in one process, loaded in whatever ways, only the first one does
 *   anything.
 * - What happened before isn't known, and isn't guessed: published streams count from the counter
 *   of their next event; topics and channels from before are added with their next event or
 *   heartbeat, without callbacks and endpoints; "not_connected" is null in a late agent's answer.
 *
 * Don't call it from a library's constructor: the loader holds its lock there, which this needs.
 *
 * Limits:
 * - The commands are not added: see commands_add, which waits for the admin device.
 * - The environment is read at the first call, whatever comes of it; a running process is
 * configured by late_options.h.
 * - A slot that the loader binds at that very moment, because its function is called for the first
 *   time and libtango was linked with lazy binding, may lose its hook again: see attach_renew.
 */
#ifndef STEM_AGENT_ATTACH_H
#define STEM_AGENT_ATTACH_H

#include <stdbool.h>

#include "agent/tango/libtango.h"

typedef enum {
    ATTACH_WATCHING,     /* its events are watched, as far as libtango has slots for that */
    ATTACH_SWITCHED_OFF, /* by SKA_TANGO_EVENT_AGENT in the environment */
    ATTACH_NO_LIBTANGO,  /* there is no libtango, or none that can be read */
    ATTACH_ANOTHER, /* another libtango of this process is already watched, and only one can be */
    ATTACH_SECOND   /* another copy of the agent was loaded before this one: it watches, or will */
} attach_result_t;

/*
 * server_init: the Tango::Util::server_init of the wanted libtango, see libtango_find_server_init;
 * NULL for the one that is already watched, or otherwise the first that is loaded. If there is
 * none, or it can't be read, a later call tries again.
 */
attach_result_t attach(libtango_server_init_t *server_init);

/* Looks after the hooks once more, some time after attaching; see above. */
void attach_renew(void);

/*
 * Switches the agent off: the hooks are taken out, and nothing is counted any more, except by
 * threads that are in a hook just now. False if it didn't watch.
 */
bool attach_stop(void);

/* After attach_stop: watches again, as an agent that was loaded late: what was known is forgotten.
 * False if it wasn't switched off. */
bool attach_resume(void);

/* In a child of the process: no other thread is there. */
void attach_forget(void);

#endif
