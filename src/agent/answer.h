/*
 * answer: what is said: the JSON that the query commands answer.
 *
 * Schema: that of the command built into cppTango 10.1 and later, "version": 1, plus the agent's
 * further keys; or the older one of the patched servers. docs/answer.md lists every key.
 */
#ifndef STEM_AGENT_ANSWER_H
#define STEM_AGENT_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/samples.h"
#include "agent/streams.h"
#include "agent/subscriptions.h"

typedef enum { ANSWER_VERSION_1, ANSWER_LEGACY } answer_schema_t;

/* What the answer says about the agent itself. */
typedef struct {
    char tango_version[32]; /* "" if not known */
    int64_t attached_ns;    /* CLOCK_REALTIME */
} answer_origin_t;

/* Where the numbers come from. */
typedef struct {
    streams_t *streams;
    subscriptions_t *subscriptions;
    samples_t *samples;
} answer_sources_t;

/*
 * The answer, NUL-terminated, owned by the caller (free); NULL if memory ran out. The samples that
 * the reader hasn't seen are in it, and the reader moves on.
 */
char *answer_query(const answer_sources_t *sources, samples_reader_t *reader,
                   answer_schema_t schema, const answer_origin_t *origin);

#endif
