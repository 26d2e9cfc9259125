/*
 * local_process: a process of this machine that has an agent, and what it says that it is.
 *
 * What a user writes for one:
 *
 *     pid:1234              the process of that number
 *     client:NAME           the one that runs that program; if there are several, each of them
 *     client:NAME:1234      the one of them that has that number
 *
 * NAME is the program as its agent has it: "archiver.py" of "python3 /opt/archiver.py".
 */
#ifndef STEM_LOCAL_PROCESS_H
#define STEM_LOCAL_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "process/agent_socket.h"
#include "tango/tango_client.h"

/* What a name says. */
typedef struct {
    pid_t pid;     /* 0: any */
    char *program; /* NULL: any. Owned */
} local_name_t;

/* Whether a name begins as those above do. */
bool local_name_is(const char *name);

/* Takes such a name apart; free it with local_name_clear(). False if it is none after all. */
bool local_name_parse(const char *name, local_name_t *parsed);
void local_name_clear(local_name_t *self);

typedef struct local_process {
    pid_t pid;
    unsigned long long began; /* see agent_socket_began() */
    uid_t user;               /* whose it is, whatever it says */
    bool answers;             /* what follows is known; all owned */
    bool is_detached;         /* its agent counts nothing until somebody attaches again */
    char *program;            /* printable, never "" */
    char *admin;              /* "dserver/SERVER/INSTANCE"; NULL: it is no server */
    char *tango_host;         /* as its environment has it, or NULL */
} local_process_t;

void local_process_clear(local_process_t *self);

/* Asks a process what it is. On failure, error is set. */
bool local_process_identify(pid_t pid, double timeout_seconds, local_process_t *process,
                            tango_error_t *error);

/* Sends one request to a process, and returns the answer, as agent_socket_ask() does. */
char *local_process_ask(pid_t pid, const char *request, double timeout_seconds, size_t *size,
                        tango_error_t *error);

/* "client:NAME", or "client:NAME:PID" with_pid. The caller frees it. */
char *local_process_client_name(const local_process_t *self, bool with_pid);

typedef struct {
    local_process_t *items;
    size_t count;
    size_t forbidden; /* so many more have an agent that this user may not ask */
} local_processes_t;

/*
 * All processes that may be asked, in the order of their ids, but for those that are known already;
 * all are asked at the same time, so that those that don't answer, which are there too, cost the
 * time only once. known: NULL if none is. Free it with local_processes_clear().
 */
typedef bool local_process_known_t(const void *context, pid_t pid, unsigned long long began);
local_processes_t local_processes_find(double timeout_seconds, local_process_known_t *known,
                                       const void *context);
void local_processes_clear(local_processes_t *self);

#endif
