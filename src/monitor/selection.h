/*
 * selection: which servers to watch, out of what the user named.
 *
 * The user names devices, files with names in them (@FILE), patterns that a Tango database knows
 * (foo/bar/\*), or all servers. What comes of it is a list of targets for the poller.
 */
#ifndef STEM_SELECTION_H
#define STEM_SELECTION_H

#include <stdbool.h>
#include <stddef.h>

/* One thing to watch. */
typedef struct {
    char *name;    /* a device, an admin device or an alias, as tango_client takes it. Owned */
    bool optional; /* a pattern found it: passed over if it has no command to ask */
} target_t;

typedef struct {
    target_t *targets; /* no name twice, as it is written */
    size_t count;
    char *error; /* one line, or NULL; owned */
} selection_t;

typedef struct {
    char *const *names; /* as the user wrote them */
    size_t name_count;
    bool all;              /* every exported server of TANGO_HOST's database */
    char *const *excluded; /* patterns; what they match isn't watched */
    size_t excluded_count;
    bool skip_unsupported; /* all targets are optional */
} selection_options_t;

/*
 * Makes a selection; asks databases about patterns, so tango_client_init() must have been called.
 * What can't be done (a file that can't be read, a database that doesn't answer, nothing left to
 * watch) is in its error. Clear it with selection_clear().
 *
 * A name with a '*' is a pattern: of the exported devices of the database (TANGO_HOST's, or that of
 * a "tango://host:port/" before it) that match it, the servers. In a file (@FILE) there is one name
 * or pattern a line; blanks around it don't count, nor do empty lines and what follows a '#' that
 * is not part of a name ("#dbase=no").
 *
 * An excluded pattern may hold '*' and '?', and is held, without regard to case, against the name
 * that the user wrote, the device that a pattern matched and the server that it was found to live
 * in ("dserver/Pub/1"), each with and without "tango://host:port/".
 */
selection_t selection_make(const selection_options_t *options);

/* Frees what self owns and empties it. */
void selection_clear(selection_t *self);

#endif
