/*
 * targets: the processes that a command is about: their ids, or servers' names.
 */
#ifndef LAUNCHER_TARGETS_H
#define LAUNCHER_TARGETS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct {
    pid_t *pids; /* each once, in the order given */
    size_t count;
} targets_t;

typedef enum {
    TARGETS_OK,
    TARGETS_NOT_FOUND, /* no process, or several, have that name */
    TARGETS_WRONG      /* that is no process id, or no server's name */
} targets_result_t;

/* Adds a process by the text of its id. Without TARGETS_OK a line was printed. */
targets_result_t targets_add_pid(targets_t *self, const char *text);

/* Adds the only process that is this server, "SERVER/INSTANCE" (with "dserver/" or without), of
 * those that "list" shows. */
targets_result_t targets_add_server(targets_t *self, const char *name);

void targets_clear(targets_t *self);

#endif
