/*
 * process: what there is to know of a process of this machine that uses Tango: from /proc and from
 * its memory, which needs nothing of the process; and from its agent, if it has one that answers.
 *
 * Reading memory needs the right to trace the process, and changes nothing. Processes come and go:
 * what can't be learned is 0 or "". Texts are the process's own: they may hold any bytes but NUL.
 */
#ifndef STEM_PROCESS_H
#define STEM_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Where /proc is; tests have another. */
#define PROCESS_PROC "/proc"

typedef enum {
    PROCESS_AGENT_NONE,
    PROCESS_AGENT_AT_START, /* the file libska-tango-event-agent.so is loaded */
    PROCESS_AGENT_LATE      /* "attach" has loaded it */
} process_agent_t;

typedef enum {
    PROCESS_STATE_UNKNOWN, /* there is no agent; or it hasn't been asked, or hasn't answered */
    PROCESS_WATCHING,
    PROCESS_DETACHED, /* it was detached, and can be attached again */
    PROCESS_ASLEEP /* its agent has no socket: it is switched off, or found nothing to watch yet */
} process_state_t;

/* Whether an agent's commands are on the admin device. */
typedef enum {
    PROCESS_COMMANDS_UNKNOWN, /* there is no such device; or the agent hasn't said it */
    PROCESS_COMMANDS_MISSING, /* not yet */
    PROCESS_COMMANDS_ADDED
} process_commands_t;

typedef struct {
    pid_t pid;
    uid_t user;        /* whose rights it has: the effective user */
    char program[256]; /* as the agent's Identify has it: "archiver.py", "TangoTest" */
    bool is_server;    /* it has a Tango::Util, or, if its memory can't be read, looks like it */
    /*
     * "SERVER/INSTANCE". With an agent that was asked: of its admin device. Else as its arguments
     * say, if it is a server: a server may call itself otherwise.
     */
    char server[256];
    char tango_host[256];     /* of an agent that was asked; "" if its environment has none */
    char libtango[512];       /* its file, as /proc/PID/maps has it; "": none */
    char other_libtango[512]; /* a second one; "": none */
    char tango_version[16];   /* "9.3.4" */
    process_agent_t agent;
    /* It is no server, and its libtango doesn't call itself by name: an agent that was there at the
     * start isn't told of its subscriptions. */
    bool is_unnoticed;
    process_state_t state; /* this and the next: see process_ask() */
    process_commands_t commands;
} process_t;

typedef enum {
    PROCESS_READ,
    PROCESS_NO_LIBTANGO, /* it doesn't use Tango, as far as that can be seen; the rest is read */
    PROCESS_FORBIDDEN,   /* what it has loaded can't be seen; only pid, user and program are read */
    PROCESS_GONE         /* there is no such process (any more) */
} process_result_t;

/* Reads a process below proc (PROCESS_PROC). */
process_result_t process_read(process_t *self, const char *proc, pid_t pid);

/*
 * Asks its agent, if it has one, what it is (Identify): sets state, commands, program, server,
 * tango_host and tango_version. Waits so long at most.
 */
void process_ask(process_t *self, double timeout_seconds);

/*
 * Likewise, one of many: none of them may take longer than timeout_seconds, nor all together much
 * longer than *left (in seconds), from which what they take is subtracted: a few that hang must not
 * make one wait for each of them.
 */
void process_ask_within(process_t *self, double timeout_seconds, double *left);

/* "none", "at start", "late"; "unknown", "watching", "detached", "asleep". */
const char *process_agent_name(process_agent_t agent);
const char *process_state_name(process_state_t state);

#endif
