/*
 * tango_client: a small C interface to the Tango client library.
 *
 * Every function may be called from any thread, and blocks for as long as the network does; a
 * device handle is used by one thread at a time. No exception leaves this folder: a failure is a
 * false or a NULL, and a tango_error_t.
 *
 * Call tango_client_init() first, with the signals that the program waits for already blocked: the
 * ORB starts threads, which inherit the mask.
 */
#ifndef STEM_TANGO_CLIENT_H
#define STEM_TANGO_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    TANGO_ERROR_NONE,
    TANGO_ERROR_NO_DEVICE,   /* no such name, or no name of a device at all */
    TANGO_ERROR_NOT_RUNNING, /* the server is not running, or can't be reached, or went away */
    TANGO_ERROR_DATABASE,    /* the Tango database can't be reached */
    TANGO_ERROR_TANGO_HOST,  /* no database is named: TANGO_HOST is not set, or wrong */
    TANGO_ERROR_TIMEOUT,     /* no answer in time */
    TANGO_ERROR_NO_COMMAND,  /* the device has no such command */
    TANGO_ERROR_FILES,       /* this process has too many open files to connect to one more */
    TANGO_ERROR_OTHER
} tango_error_kind_t;

typedef struct {
    tango_error_kind_t kind;
    char *text; /* one line without the device's name; may hold invalid UTF-8. Owned; or NULL */
} tango_error_t;

/* The admin device of a server. */
typedef struct {
    char *name;     /* as a user may name it: "dserver/Pub/1", or "tango://host:port/dserver/Pub/1",
                       or "tango://host:port/dserver/Pub/1#dbase=no" */
    char *identity; /* equal for two names of one server */
} tango_admin_t;

/* Which commands about the event system an admin device has. */
typedef struct {
    bool query_event_agent;  /* QueryEventAgent: our agent's own, full answer */
    bool query_event_system; /* QueryEventSystem */
    bool start_and_stop;     /* StartEventSystemPerfMon and StopEventSystemPerfMon */
    bool enable;             /* EnableEventSystemPerfMon(DevBoolean) */
} tango_event_commands_t;

/* One exported device of a database. */
typedef struct {
    char *device; /* its name, with the pattern's "tango://host:port/" before it */
    char *admin;  /* its server's admin device, likewise */
} tango_match_t;

/* A connection to one device. */
typedef struct tango_device tango_device_t;

/*
 * Starts the Tango client library. timeout_ms is how long a call waits for an answer, and how long
 * one attempt to connect waits for a server that accepts the connection but doesn't talk;
 * connecting takes up to three attempts. From then on std::cout and std::cerr, to which the library
 * prints, are silent; C's stdout and stderr aren't. Call it once.
 */
bool tango_client_init(int timeout_ms, tango_error_t *error);

/*
 * Finds the admin device of the server that a device lives in. name is what a user wrote: a device,
 * an admin device or an alias, in the database of TANGO_HOST or with a "tango://host:port/" before
 * it; or "tango://host:port/a/b/c#dbase=no". A server in a database need not be running, one
 * without has to be. On success *admin is filled in; free it with tango_admin_clear(). *device
 * becomes a connection to it where one was made on the way (name is the admin device's), or NULL.
 */
bool tango_client_find_admin(const char *name, tango_admin_t *admin, tango_device_t **device,
                             tango_error_t *error);

/*
 * Names the admin device of a server as tango_client_find_admin() does, by what is known of it from
 * elsewhere, and asks nobody but for the host's address. host: "host:port", of its database (of
 * several the first one counts: "host:port,host:port"), or its own, if it has none. path:
 * "dserver/Pub/1".
 */
bool tango_client_name_admin(const char *host, bool has_database, const char *path,
                             tango_admin_t *admin, tango_error_t *error);

/*
 * Finds the exported devices of a database that match a pattern with '*', as the database itself
 * takes it: TANGO_HOST's, or that of a "tango://host:port/" before the pattern. On success
 * *matches is a list, perhaps empty, to be freed with tango_matches_destroy().
 */
bool tango_client_match(const char *pattern, tango_match_t **matches, size_t *count,
                        tango_error_t *error);

/* Frees a list of so many and sets *self to NULL. */
void tango_matches_destroy(tango_match_t **self, size_t count);

/* Frees what admin owns and empties it. */
void tango_admin_clear(tango_admin_t *admin);

/* What a user can do about such an error, to be appended to its text: ": check the name"; or "". */
const char *tango_error_advice(tango_error_kind_t kind);

/* Frees what error owns and empties it. */
void tango_error_clear(tango_error_t *error);

/*
 * Connects to a device. Returns a new handle, or NULL. After the server was restarted, the library
 * reconnects by itself.
 */
tango_device_t *tango_device_new(const char *name, tango_error_t *error);

/* Closes the connection and sets *self to NULL; *self may be NULL. */
void tango_device_destroy(tango_device_t **self);

/*
 * Connects to a device anew, and asks whether it answers. The error's text is REASON_STOPPED (see
 * base/reasons.h) if the database says that its server was stopped.
 */
bool tango_device_ping(const char *name, tango_error_t *error);

/* Why an attribute's events can't be subscribed to, by the rules of cppTango's servers. */
typedef enum {
    TANGO_EVENTS_POSSIBLE, /* nothing that is known speaks against it */
    TANGO_EVENTS_NO_ATTRIBUTE,
    TANGO_EVENTS_NOT_POLLED,  /* and the device's code doesn't push them */
    TANGO_EVENTS_NO_CRITERIA, /* for when to send one */
    TANGO_EVENTS_NEITHER,     /* not polled, and no criteria */
    TANGO_EVENTS_NOT_BY_CODE  /* the device's code would have to push them */
} tango_events_t;

/*
 * Connects to a device anew, and asks what speaks against a subscription that it has refused:
 * event_type is "change", "archive", ... False if it doesn't answer; as tango_device_ping().
 */
bool tango_device_check_events(const char *device, const char *attribute, const char *event_type,
                               tango_events_t *events, tango_error_t *error);

/* Asks the device which event system commands it has. A command with other types is none. */
bool tango_device_event_commands(tango_device_t *self, tango_event_commands_t *commands,
                                 tango_error_t *error);

/*
 * Calls a command that has no argument and returns a DevString. Returns the text, NUL-terminated,
 * which may hold invalid UTF-8, and its bytes without the NUL in *size; the caller frees it. NULL
 * on failure.
 */
char *tango_device_call_string(tango_device_t *self, const char *command, size_t *size,
                               tango_error_t *error);

/* Calls a command without argument and result. */
bool tango_device_call(tango_device_t *self, const char *command, tango_error_t *error);

/* Calls a command with a DevBoolean and without result. */
bool tango_device_call_boolean(tango_device_t *self, const char *command, bool argument,
                               tango_error_t *error);

#ifdef __cplusplus
}
#endif

#endif
