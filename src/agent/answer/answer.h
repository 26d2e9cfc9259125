/*
 * answer: the JSON that the query commands answer.
 *
 * Schema: that of the command built into cppTango 10.1 and later, "version": 1, plus the agent's
 * further keys; or the older one of the patched servers. docs/answer.md lists every key.
 */
#ifndef STEM_AGENT_ANSWER_H
#define STEM_AGENT_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/counts/counts.h"

typedef enum { ANSWER_VERSION_1, ANSWER_LEGACY } answer_schema_t;

/* What the answer says about the agent itself. */
typedef struct {
    char tango_version[32]; /* "" if not known */
    int64_t attached_ns;    /* when it began to watch; CLOCK_REALTIME */
    int64_t process_ns;     /* when the process began; likewise, or CLOCK_NEVER if not known */
    bool is_late;           /* the process had run before without being watched */
    bool is_detached;       /* nothing is watched any more */
} answer_origin_t;

/* "at start" or "late". */
const char *answer_loaded(const answer_origin_t *origin);

/*
 * The answer, NUL-terminated, owned by the caller (free); NULL if memory ran out. It contains the
 * samples that the reader hasn't seen, and the reader advances.
 */
char *answer_query(counts_t *counts, samples_reader_t *reader, answer_schema_t schema,
                   const answer_origin_t *origin);

#endif
