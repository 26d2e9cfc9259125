/*
 * response_schema: what an answer may hold, as tables that response_parse.c goes by; and where it
 * goes.
 */
#ifndef STEM_RESPONSE_SCHEMA_H
#define STEM_RESPONSE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "response/response.h"
#include "response/vector.h"

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
    FIELD_BOOLEAN,
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
    const node_t *node; /* FIELD_NODE: what it holds */
    /* Only in answers without a version, and of two fields of one offset the stronger. */
    bool legacy;
    bool absent; /* FIELD_BOOLEAN: what it is where it is null */
} field_t;

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
    /* Called as it begins (or null stands in its place): empties what an equal key before left.
     * Returns the record of a NODE_RECORD. */
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
