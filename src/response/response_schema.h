/*
 * response_schema: what an answer may contain and where it is stored, as tables for
 * response_parse.c.
 */
#ifndef STEM_RESPONSE_SCHEMA_H
#define STEM_RESPONSE_SCHEMA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/vector.h"
#include "response/response.h"

/* What was read so far. */
typedef struct {
    response_t *response;
    bool has_content; /* "server" or "client" is there */
    bool has_agent;
    vector_t counters; /* response_publisher_t, of "event_counters" */
    vector_t streams;  /* response_publisher_t, of "event_streams" */
    vector_t subscriptions;
    vector_t channels;
    vector_t not_connected;
    vector_t push_samples;
    vector_t receive_samples;
} draft_t;

typedef struct node node_t;

typedef enum {
    FIELD_STRING,
    FIELD_BOOLEAN, /* null is false */
    FIELD_TOLD,
    FIELD_COUNT,
    FIELD_MICROS,
    FIELD_VERSION,
    FIELD_HISTOGRAM,
    FIELD_NODE
} field_kind_t;

/* One key of an object that is read. */
typedef struct {
    const char *key;
    field_kind_t kind;
    size_t offset;      /* in the object's record; not of a FIELD_NODE */
    const node_t *node; /* FIELD_NODE: its content */
    /*
     * Only in answers without a version; takes precedence over another field with the same offset.
     */
    bool legacy;
} field_t;

/* The maximum of keys that are read of an object. */
enum { SCHEMA_MAX_KEYS = 31 };

typedef enum {
    NODE_RECORD, /* an object with certain keys */
    NODE_COUNTS, /* an object of names with a count each */
    NODE_NAMES,  /* an object of names with an object each */
    NODE_LIST,   /* a list of objects */
    NODE_BUCKETS,
    NODE_BUCKET
} node_kind_t;

struct node {
    node_kind_t kind;
    const char *section; /* for messages: "client.event_callbacks" */
    const field_t *fields;
    size_t field_count;
    const counters_t *counters; /* of a NODE_RECORD, further keys; or NULL */
    size_t counter_count;
    size_t counts_offset; /* of their counts in the record */
    /* Where to look first, for all threads: the index, plus 1, of the key that followed each one
     * the last time. As a rule all objects of a node have their keys in the same order. */
    atomic_uchar *followers;
    /* Called at its beginning (or for null): clears what an earlier duplicate key left. Returns the
     * record of a NODE_RECORD. */
    void *(*open)(draft_t *draft, bool present);
    /* The record of a new entry; takes over name, which is NULL in a list. */
    void *(*add)(draft_t *draft, char *name);
    bool entries_may_be_null;
    const node_t *entry;
};

/* The answer; a histogram; and one bucket of that. */
extern const node_t schema_answer;
extern const node_t schema_histogram;
extern const node_t schema_bucket;

/* A draft of a response that is all 0. */
void schema_begin(draft_t *draft);

/* A new one of "event_counters", its count not yet known; takes over name. */
response_publisher_t *schema_add_counter(draft_t *draft, char *name);

#endif
