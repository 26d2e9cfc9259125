/*
 * sink: where observations go: a recording, or standard output. It is given all it needs, asks
 * nobody for more, and waits for no reader.
 *
 * A sink is a struct that begins with a sink_t. All methods but show and destroy may be NULL. A new
 * output is a new file, and a line in add_sinks() of main.c.
 */
#ifndef STEM_SINK_H
#define STEM_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "monitor/analysis/observation.h"

typedef enum {
    SINK_OK,     /* *error is NULL, or something worth telling the user */
    SINK_FAILED, /* something is lost; *error says what if that is new, otherwise it is NULL */
    SINK_CLOSED  /* it can never write again: its reader has gone; *error may say why */
} sink_result_t;

/* The monitor's status between two polls. */
typedef struct {
    bool is_asking;            /* the servers are being asked */
    double seconds;            /* otherwise: to the next poll */
    size_t asked;              /* servers, the last time */
    size_t failed;             /* of them */
    const char *recorded_into; /* a file's name, or NULL */
} sink_status_t;

typedef struct sink sink_t;

/* In all of them, *error is one line for the user, owned by the caller, or NULL. */
typedef struct {
    /* Shows a poll. */
    sink_result_t (*show)(sink_t *self, const observation_t *observation, char **error);
    /* Copies a remark of a recording that is read; see source.h. */
    sink_result_t (*remark)(sink_t *self, const char *line, size_t size, char **error);
    /*
     * Shows what came of the whole run. any: false if it ended before there was anything to show.
     */
    sink_result_t (*end)(sink_t *self, bool any, char **error);
    /* Waits until the reader has taken everything; when the monitor was told to stop, before (told)
     * or now, a short grace only. */
    sink_result_t (*finish)(sink_t *self, bool told, char **error);
    /* Reopens its file by name, after somebody has moved it away. */
    void (*reopen)(sink_t *self, char **error);
    /* Shows the status, until something else is shown. */
    void (*show_status)(sink_t *self, const sink_status_t *status);
    /* Clears the status, for other output to the same terminal. */
    void (*clear_status)(sink_t *self);
    /* If the sink waits for input: the descriptor that becomes readable, and what to do then.
     * Called between polls, not while servers are asked, nor while a recording is read. */
    int (*fd)(const sink_t *self);
    sink_result_t (*ready)(sink_t *self, char **error);
    /* The program ends at this moment: gives back what is others' (a terminal), without waiting. */
    void (*abandon)(sink_t *self);
    /* Frees it and sets *self to NULL. */
    void (*destroy)(sink_t **self);
} sink_methods_t;

struct sink {
    const sink_methods_t *methods;
    bool compares;             /* it reads more of an observation than the snapshot */
    bool is_required;          /* without it the run ends */
    bool has_status;           /* it is worth keeping its status up to date */
    const char *recorded_into; /* as in sink_status_t */
    const char *when_closed;   /* what to say when it is closed and others go on */
};

#endif
