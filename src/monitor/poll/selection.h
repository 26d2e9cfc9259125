/*
 * selection: which servers to watch, from what the user named.
 *
 * The user names devices, files with names in them (@FILE), patterns that a Tango database knows
 * (foo/bar/\*), processes of this machine (local_process.h), or all servers, or all processes. The
 * result is a list of targets for the poller.
 */
#ifndef STEM_SELECTION_H
#define STEM_SELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "monitor/poll/shard.h"

/* One thing to watch. */
typedef struct {
    char *name;    /* a device, an admin device or an alias, as tango_client takes it; or a process
                      (local_process.h). Owned */
    bool optional; /* a pattern found it: skipped if it has no command to ask */
    pid_t pid;     /* of a process, if it isn't the name that decides; else 0 */
    bool is_local; /* "local" found it: a server is looked for again after it has ended */
} target_t;

typedef struct {
    target_t *targets; /* no name twice, as written */
    size_t count;
    size_t forbidden; /* "local" found so many more that this user may not ask */
    bool stopped;     /* interrupted */
} selection_t;

typedef struct {
    char *const *names; /* as the user wrote them */
    size_t name_count;
    bool all;              /* every exported server of TANGO_HOST's database */
    bool local;            /* every process of this machine that has an agent */
    double timeout;        /* that a process has to say what it is, in seconds */
    char *const *excluded; /* patterns; what they match isn't watched */
    size_t excluded_count;
    bool skip_unsupported; /* all targets are optional */
    shard_t shard;         /* what patterns find is a target only if it is in this one */
} selection_options_t;

/*
 * Makes a selection; asks databases about patterns, so tango_client_init() must have been called.
 * Interrupted as soon as stop_fd is readable: then a thread may be left running that hangs in a
 * call and uses the options, and the program must end with _exit(). A failure (a file that can't be
 * read, a database that doesn't answer, nothing left to watch, unless there are shards) is in
 * *error: one line, which the caller frees, else NULL. Clear it with selection_clear().
 *
 * A name with a '*' is a pattern: it stands for the servers of the exported devices of the database
 * (TANGO_HOST's, or that of a "tango://host:port/" before it) that match it. In a file (@FILE)
 * there is one name or pattern per line; blanks around it, empty lines and what follows a '#' that
 * is not part of a name ("#dbase=no") are ignored.
 *
 * A "client:NAME" that several processes have is a "client:NAME:PID" for each of them. With a '*'
 * or a '?' in it, it stands for all processes without an admin device whose program matches.
 * "local" is a "pid:PID" for each server, and a "client:NAME" or "client:NAME:PID" for each other
 * process.
 *
 * An excluded pattern may contain '*' and '?', and is compared, ignoring case, with the name that
 * the user wrote, the device that a pattern matched and its server ("dserver/Pub/1"), each with and
 * without "tango://host:port/"; of processes that were found, with "pid:PID", "client:NAME",
 * "client:NAME:PID" and the server.
 */
selection_t selection_make(const selection_options_t *options, int stop_fd, char **error);

/* Whether a process of this machine matches one of the excluded patterns. */
struct local_process;
bool selection_excludes_process(const selection_options_t *options,
                                const struct local_process *process);

/* Whether a name matches one of the excluded patterns, with or without "tango://host:port/". */
bool selection_excludes(const selection_options_t *options, const char *name);

/* Frees what self owns and empties it. */
void selection_clear(selection_t *self);

#endif
