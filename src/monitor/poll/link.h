/*
 * link: the connection to one watched server: to a device, or to the agent's socket of a process of
 * this machine (local_process.h). Nothing else knows the difference.
 *
 * Used by one thread at a time. Requests block, for as long as the timeout of tango_client_init()
 * or the one given here. After the server was restarted, it reconnects by itself; so it does to
 * "client:NAME" and to a server of --local, which are other processes then.
 */
#ifndef STEM_LINK_H
#define STEM_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "monitor/poll/selection.h"
#include "tango/tango_client.h"

typedef struct link link_t;

/* To a target, without contacting anybody. timeout: in seconds. Never NULL. */
link_t *link_new(const target_t *target, double timeout);

/* Closes it and sets *self to NULL; *self may be NULL. */
void link_destroy(link_t **self);

/* Whether connecting to it asks a Tango database. */
bool link_asks_database(const link_t *self);

/*
 * Finds out which server that is, unless admin->name is known already, and connects to it. False on
 * failure; may be called again then, and continues where it left off. A process without an admin
 * device has its own name in *admin: "client:NAME" or "client:NAME:PID".
 */
bool link_connect(link_t *self, tango_admin_t *admin, tango_error_t *error);

/* Whether it is connected; requests are possible only then. */
bool link_is_connected(const link_t *self);

/* The process that it is connected to; 0: not known, or a device. */
pid_t link_process(const link_t *self);

/* As the functions of tango_client of those names do. */
bool link_event_commands(link_t *self, tango_event_commands_t *commands, tango_error_t *error);
char *link_call_string(link_t *self, const char *command, size_t *size, tango_error_t *error);
bool link_call(link_t *self, const char *command, tango_error_t *error);
bool link_call_boolean(link_t *self, const char *command, bool argument, tango_error_t *error);

#endif
