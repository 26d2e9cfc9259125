/*
 * process_list: all processes of this machine that use Tango, in the order of their ids, as far as
 * they can be seen.
 */
#ifndef STEM_PROCESS_LIST_H
#define STEM_PROCESS_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "process/process.h"

typedef struct {
    process_t *processes;
    size_t count;
    size_t unseen; /* processes of which can't be seen whether they use Tango */
} process_list_t;

/*
 * Reads those below proc (PROCESS_PROC); processes that end meanwhile are left out. False with a
 * line in error; in any case, end it with process_list_clear().
 */
bool process_list_read(process_list_t *self, const char *proc, char *error, size_t error_size);

/* Asks the agents of all that have one, each for so long at most, and all for three times that; see
 * process_ask_within(). */
void process_list_ask(process_list_t *self, double timeout_seconds);

/* The next process after `after` (NULL: the first) that is this server, "SERVER/INSTANCE" or
 * "dserver/SERVER/INSTANCE"; letter case doesn't matter, as in Tango. NULL: none. */
const process_t *process_list_next_server(const process_list_t *self, const char *server,
                                          const process_t *after);

/* Likewise, the next that is not a server and runs this program. */
const process_t *process_list_next_client(const process_list_t *self, const char *program,
                                          const process_t *after);

void process_list_clear(process_list_t *self);

#endif
