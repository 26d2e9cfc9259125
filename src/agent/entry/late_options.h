/*
 * late_options: what ska-tango-event-agent attach tells the agent that it loads into a running
 * process. It copies the library into a file of that process's, and fills this in there: the
 * process's environment can't be changed any more.
 *
 * The launcher includes this header, too, and finds the struct in the file by its magic.
 */
#ifndef STEM_AGENT_LATE_OPTIONS_H
#define STEM_AGENT_LATE_OPTIONS_H

#include <stdint.h>

#define LATE_OPTIONS_MAGIC      "SKA-TANGO-EVENT-AGENT-OPTIONS-1"
#define LATE_OPTIONS_MAGIC_SIZE 32

typedef struct {
    char magic[LATE_OPTIONS_MAGIC_SIZE]; /* with its NUL */
    uint8_t is_late;                     /* 1: attach has loaded it; 0 in the library's own file */
    uint8_t perf;                        /* 1: take performance samples from the start */
    char log[14];                        /* the log level; "": as in the environment */
    char schema[16];                     /* 1 or legacy; "": as in the environment */
} late_options_t;

#endif
