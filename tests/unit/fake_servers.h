/*
 * fake_servers: replaces tango_client by servers that hang, fail and answer as a test wants.
 *
 * Tests that need real servers are in tests/integration. This is for what those can't do on
 * request: hang at one step until another one was reached, fail between two steps.
 */
#ifndef STEM_FAKE_SERVERS_H
#define STEM_FAKE_SERVERS_H

#include <stdbool.h>

#include "tango/tango_client.h"

/* The requests to a server: tango_client_find_admin(), tango_device_new(), tango_device_ping(), ...
 */
typedef enum {
    FAKE_FIND,
    FAKE_CONNECT,
    FAKE_COMMANDS, /* which it has */
    FAKE_QUERY,
    FAKE_PING,
    FAKE_SWITCH, /* performance monitoring, on or off */
    FAKE_MATCH,  /* of the database alone: tango_client_match() */
    FAKE_STEPS
} fake_step_t;

typedef struct fake_server fake_server_t;

/* Forgets all servers; callers that hang in one go on. For a test's setup. */
void fake_servers_clear(void);

/*
 * A server with one device, and an admin device of that name. It has the commands QueryEventAgent,
 * and StartEventSystemPerfMon with its counterpart. It answers with its pid, and whether
 * performance monitoring is on. Several devices may have one admin device: they are one server for
 * the poller.
 */
fake_server_t *fake_server_new(const char *device, const char *admin);

/* The database, which knows the devices made so far. */
fake_server_t *fake_database(void);

/* From now on it hangs at a step; with false it goes on, and so do callers that hang there. */
void fake_server_hang(fake_server_t *self, fake_step_t step, bool hangs);

/* From now on a step fails in that way; TANGO_ERROR_NONE: it works again. */
void fake_server_fail(fake_server_t *self, fake_step_t step, tango_error_kind_t kind);

/* The commands that it has, from now on. */
void fake_server_set_commands(fake_server_t *self, tango_event_commands_t commands);

/* It has none the first times that it is asked. */
void fake_server_start_slowly(fake_server_t *self, int times);

/* It answers with that text instead of its state. NULL: with its state again. */
void fake_server_set_answer(fake_server_t *self, const char *text);

/* What it is identified by (see tango_admin_t), instead of by the name of its admin device. */
void fake_server_set_identity(fake_server_t *self, const char *identity);

/* Another process: with another pid, performance monitoring off, and its connections lost. */
void fake_server_restart(fake_server_t *self);

/* Switches performance monitoring as somebody else does. */
void fake_server_set_perf(fake_server_t *self, bool on);
bool fake_server_has_perf(fake_server_t *self);

/* How often a step was begun so far. */
int fake_server_begun(fake_server_t *self, fake_step_t step);

/* Waits until a step was begun, or done, this many times; aborts if that doesn't happen. */
void fake_server_wait_begun(fake_server_t *self, fake_step_t step, int count);
void fake_server_wait_done(fake_server_t *self, fake_step_t step, int count);

/* The command that was called last: "EnableEventSystemPerfMon(true)"; "" if there was none. Owned
 * by self. Call it only while nobody talks to the server. */
const char *fake_server_last_call(const fake_server_t *self);

#endif
