/*
 * Reads an answer in one pass: the parser (json_scan_walk(), or yajl if the text isn't surely
 * valid) calls back for each value, and tables of fields describe what an answer may contain, so
 * that only the response itself is built.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "base/arena.h"
#include "base/json_text.h"
#include "base/memory.h"
#include "base/printable.h"
#include "base/vector.h"
#include "response/response.h"
#include "response/response_schema.h"

typedef enum {
    TOKEN_NULL,
    TOKEN_BOOLEAN,
    TOKEN_NUMBER,
    TOKEN_STRING,
    TOKEN_OBJECT,
    TOKEN_LIST
} token_kind_t;

typedef struct {
    token_kind_t kind;
    bool boolean;
    const char *text; /* of a string or a number; not NUL-terminated */
    size_t size;
    bool is_integer; /* a number that integer holds */
    int64_t integer;
} token_t;

enum { MAX_FRAMES = 8 };

/* A bucket of a histogram: from, below, how many. */
enum { BUCKET_PARTS = 3 };

typedef struct {
    const node_t *node;
    void *record;
    const field_t *field;     /* what the key just read means, or NULL */
    const counter_t *counter; /* likewise */
    size_t next_key;          /* after the one just read: its fields, then its counters */
    char *name;               /* NODE_NAMES, NODE_COUNTS: the key just read */
    size_t index;             /* NODE_LIST, NODE_BUCKET: of the value to come */
    unsigned stronger;        /* which fields had the legacy spelling */
} frame_t;

typedef struct {
    draft_t draft;
    arena_t *strings;
    char *last_string; /* in it, of a value; or NULL */
    size_t last_size;
    bool legacy;
    const char *stopped; /* what is wrong with the text */
    char *error;         /* or with its content */
    frame_t frames[MAX_FRAMES];
    size_t frame_count;
    size_t depth;   /* of the text */
    size_t skipped; /* levels within a value that isn't read */
    vector_t buckets;
    response_histogram_t *histogram; /* that is being read */
} parser_t;

/* ---- what is wrong ---- */

static const char *token_name(const token_t *token)
{
    static const char *const names[] = {
        [TOKEN_NULL] = "null",       [TOKEN_BOOLEAN] = "a boolean", [TOKEN_NUMBER] = "a number",
        [TOKEN_STRING] = "a string", [TOKEN_OBJECT] = "an object",  [TOKEN_LIST] = "a list",
    };
    return names[token->kind];
}

/* The position of the value that is being read. */
static char *place_of(const parser_t *self)
{
    char *place = memory_string("");
    const char *section = "";
    for (size_t i = 0; i < self->frame_count; i++) {
        const frame_t *frame = &self->frames[i];
        char *longer = NULL;
        switch (frame->node->kind) {
        case NODE_RECORD:
            if (frame->field || frame->counter)
                longer = memory_format("%s%s%s", place, *place ? "." : "",
                                       frame->field ? frame->field->key : frame->counter->key);
            break;
        case NODE_COUNTS:
        case NODE_NAMES:
            section = frame->node->section;
            longer = memory_format("%s[\"%s\"]", section, frame->name);
            break;
        case NODE_LIST:
            section = frame->node->section;
            longer = memory_format("%s[%zu]", section, frame->index);
            break;
        case NODE_BUCKETS:
        case NODE_BUCKET:
            break;
        }
        if (longer) {
            free(place);
            place = longer;
        }
    }
    if (self->frame_count == 0) {
        free(place);
        place = memory_string("answer");
    }
    return place;
}

static void fail(parser_t *self, const char *problem)
{
    if (self->error)
        return;
    char *place = place_of(self);
    self->error = memory_format("%s: %s", place, problem);
    free(place);
}

static void fail_type(parser_t *self, const char *expected, const token_t *token)
{
    char *problem = memory_format("expected %s, found %s", expected, token_name(token));
    fail(self, problem);
    free(problem);
}

/* ---- values ---- */

/* A whole number in decimal digits; false if it isn't one, or too large. */
static bool read_integer(const char *text, size_t size, int64_t *value)
{
    const bool negative = text[0] == '-';
    const size_t first = negative;
    if (size - first > 18) /* 10^18 < 2^63 */
        return false;
    int64_t sum = 0;
    for (size_t i = first; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        sum = sum * 10 + (text[i] - '0');
    }
    *value = negative ? -sum : sum;
    return true;
}

static double read_real(const token_t *token)
{
    if (token->is_integer)
        return (double)token->integer;
    return json_text_number(token->text, token->size);
}

static bool read_large_integer(const token_t *token, int64_t *value)
{
    char *text = memory_copy(token->text, token->size);
    char *end = NULL;
    errno = 0;
    *value = strtoll(text, &end, 10);
    const bool good = *end == '\0' && errno == 0;
    free(text);
    return good;
}

static void read_count(parser_t *self, const token_t *token, int64_t *result)
{
    *result = RESPONSE_UNKNOWN;
    if (token->kind == TOKEN_NULL)
        return;
    if (token->kind != TOKEN_NUMBER) {
        fail_type(self, "a count", token);
        return;
    }
    int64_t count = token->integer;
    if (!token->is_integer && !read_large_integer(token, &count)) {
        /* Writers that know only floating point numbers write 12.0. */
        const double real = read_real(token);
        if (real != floor(real)) {
            fail(self, "expected a count, found a fraction");
            return;
        }
        if (real >= 0x1p63 || real < -0x1p63) {
            fail(self, "the count is too large");
            return;
        }
        count = (int64_t)real;
    }
    if (count == -1 && self->legacy)
        return;
    if (count < 0)
        fail(self, "expected a count, found a negative number");
    else
        *result = count;
}

/* Durations may be negative: a latency is taken between the clocks of two machines. */
static void read_micros(parser_t *self, const token_t *token, double *result)
{
    *result = NAN;
    if (token->kind == TOKEN_NULL)
        return;
    if (token->kind != TOKEN_NUMBER) {
        fail_type(self, "a number", token);
        return;
    }
    const double micros = read_real(token);
    if (micros != -1.0 || !self->legacy)
        *result = micros;
}

/* A single copy of consecutive equal strings, as the names in samples mostly are. */
static char *keep_string(parser_t *self, const token_t *token)
{
    if (!self->last_string || token->size != self->last_size ||
        memcmp(token->text, self->last_string, token->size) != 0) {
        self->last_string = arena_copy(self->strings, token->text, token->size);
        self->last_size = token->size;
    }
    return self->last_string;
}

static void read_string(parser_t *self, const token_t *token, char **result)
{
    *result = NULL;
    if (token->kind == TOKEN_STRING)
        *result = keep_string(self, token);
    else if (token->kind != TOKEN_NULL)
        fail_type(self, "a string", token);
}

static void read_version(parser_t *self, const token_t *token)
{
    if (token->kind != TOKEN_NUMBER) {
        fail_type(self, "a number", token);
        return;
    }
    const double version = read_real(token);
    if (version != 1.0) {
        char *problem =
            memory_format("this program reads version 1 of the answer, not version %g", version);
        fail(self, problem);
        free(problem);
    }
}

static void push_frame(parser_t *self, const node_t *node, void *record)
{
    self->frames[self->frame_count++] = (frame_t){.node = node, .record = record};
}

static bool opens(const node_t *node, const token_t *token)
{
    const bool list =
        node->kind == NODE_LIST || node->kind == NODE_BUCKETS || node->kind == NODE_BUCKET;
    return token->kind == (list ? TOKEN_LIST : TOKEN_OBJECT);
}

/* Begins the value of a key. */
static void read_node(parser_t *self, const node_t *node, const token_t *token)
{
    if (token->kind != TOKEN_NULL && !opens(node, token)) {
        fail_type(self,
                  node->kind == NODE_LIST || node->kind == NODE_BUCKETS ? "a list" : "an object",
                  token);
        return;
    }
    if (node->kind == NODE_BUCKETS)
        self->buckets.count = 0;
    void *record = node->open ? node->open(&self->draft, token->kind != TOKEN_NULL) : NULL;
    if (token->kind != TOKEN_NULL)
        push_frame(self, node, record);
}

static void read_histogram(parser_t *self, const token_t *token, response_histogram_t **result)
{
    *result = NULL;
    if (token->kind == TOKEN_NULL)
        return;
    if (token->kind != TOKEN_OBJECT) {
        fail_type(self, "an object", token);
        return;
    }
    const response_histogram_t empty = {
        .count = RESPONSE_UNKNOWN, .sum_nanos = NAN, .max_nanos = NAN};
    response_histogram_t *histogram = arena_copy(self->strings, &empty, sizeof empty);
    *result = self->histogram = histogram;
    push_frame(self, &schema_histogram, histogram);
}

static response_told_t read_told(parser_t *self, const token_t *token)
{
    if (token->kind == TOKEN_BOOLEAN)
        return token->boolean ? RESPONSE_YES : RESPONSE_NO;
    if (token->kind != TOKEN_NULL)
        fail_type(self, "true or false", token);
    return RESPONSE_NOT_TOLD;
}

static void read_field(parser_t *self, frame_t *frame, const token_t *token)
{
    const field_t *field = frame->field;
    void *member = (char *)frame->record + field->offset;
    switch (field->kind) {
    case FIELD_STRING:
        read_string(self, token, member);
        break;
    case FIELD_BOOLEAN:
        *(bool *)member = read_told(self, token) == RESPONSE_YES;
        break;
    case FIELD_TOLD:
        *(response_told_t *)member = read_told(self, token);
        break;
    case FIELD_COUNT:
        read_count(self, token, member);
        break;
    case FIELD_MICROS:
        read_micros(self, token, member);
        break;
    case FIELD_VERSION:
        read_version(self, token);
        break;
    case FIELD_HISTOGRAM:
        read_histogram(self, token, member);
        break;
    case FIELD_NODE:
        read_node(self, field->node, token);
        break;
    }
}

/* One [from, below, how many] of a histogram. */
static void read_bucket_part(parser_t *self, frame_t *frame, const token_t *token)
{
    response_bucket_t *bucket = (response_bucket_t *)self->buckets.items + self->buckets.count - 1;
    switch (frame->index++) {
    case 0:
        read_micros(self, token, &bucket->from_nanos);
        break;
    case 1:
        read_micros(self, token, &bucket->below_nanos);
        break;
    case 2:
        read_count(self, token, &bucket->count);
        break;
    default:
        fail(self, "expected buckets of three numbers");
        break;
    }
}

/* Reads one value that isn't skipped, or begins to. */
static void read_value(parser_t *self, const token_t *token)
{
    if (self->frame_count == 0) {
        if (token->kind == TOKEN_OBJECT)
            push_frame(self, &schema_answer, self->draft.response);
        else
            fail_type(self, "an object", token);
        return;
    }
    frame_t *frame = &self->frames[self->frame_count - 1];
    switch (frame->node->kind) {
    case NODE_RECORD:
        if (frame->field)
            read_field(self, frame, token);
        else if (frame->counter)
            read_count(
                self, token,
                counter_in(frame->counter, (char *)frame->record + frame->node->counts_offset));
        break;
    case NODE_COUNTS:
        read_count(self, token,
                   &schema_add_counter(&self->draft, frame->name)->counts.pushed_event_count);
        break;
    case NODE_NAMES:
    case NODE_LIST:
        if (token->kind == TOKEN_OBJECT)
            push_frame(self, frame->node->entry,
                       frame->node->entry->add(&self->draft, frame->name));
        else if (token->kind == TOKEN_NULL && frame->node->entries_may_be_null)
            frame->node->entry->add(&self->draft, frame->name);
        else
            fail_type(self, "an object", token);
        if (token->kind != TOKEN_OBJECT)
            frame->index++;
        break;
    case NODE_BUCKETS:
        if (token->kind != TOKEN_LIST) {
            fail_type(self, "a list", token);
            break;
        }
        *(response_bucket_t *)vector_add(&self->buckets) =
            (response_bucket_t){.from_nanos = NAN, .below_nanos = NAN, .count = RESPONSE_UNKNOWN};
        push_frame(self, &schema_bucket, NULL);
        break;
    case NODE_BUCKET:
        read_bucket_part(self, frame, token);
        break;
    }
}

static void end_frame(parser_t *self)
{
    const frame_t *frame = &self->frames[self->frame_count - 1];
    if (frame->node->kind == NODE_BUCKET && frame->index < BUCKET_PARTS)
        fail(self, "expected buckets of three numbers");
    if (frame->node->kind == NODE_BUCKETS) {
        const size_t size = self->buckets.count * sizeof(response_bucket_t);
        self->histogram->bucket_count = self->buckets.count;
        self->histogram->buckets =
            size > 0 ? arena_copy(self->strings, self->buckets.items, size) : NULL;
    }
    self->frame_count--;
    if (self->frame_count > 0 && self->frames[self->frame_count - 1].node->kind == NODE_LIST)
        self->frames[self->frame_count - 1].index++;
}

/* ---- the parser's calls ---- */

static int take_value(parser_t *self, const token_t *token)
{
    const bool container = token->kind == TOKEN_OBJECT || token->kind == TOKEN_LIST;
    if (container && ++self->depth > JSON_TEXT_MAX_DEPTH) {
        self->stopped = JSON_TEXT_TOO_DEEP;
        return 0;
    }
    if (self->skipped == 0 && !self->error) {
        const size_t frames = self->frame_count;
        read_value(self, token);
        if (!self->error && self->frame_count > frames)
            return 1;
    }
    self->skipped += container;
    return 1;
}

static int take_end(void *context)
{
    parser_t *self = context;
    self->depth--;
    if (self->skipped > 0)
        self->skipped--;
    else
        end_frame(self);
    return 1;
}

static int take_null(void *context)
{
    return take_value(context, &(token_t){.kind = TOKEN_NULL});
}

static int take_boolean(void *context, int boolean)
{
    return take_value(context, &(token_t){.kind = TOKEN_BOOLEAN, .boolean = boolean != 0});
}

static int take_number(void *context, const char *text, size_t size)
{
    parser_t *self = context;
    token_t token = {.kind = TOKEN_NUMBER, .text = text, .size = size};
    token.is_integer = read_integer(text, size, &token.integer);
    if (!token.is_integer && !isfinite(read_real(&token))) {
        self->stopped = JSON_TEXT_TOO_LARGE;
        return 0;
    }
    return take_value(self, &token);
}

static int no_nul(parser_t *self, const char *text, size_t size)
{
    if (!memchr(text, '\0', size))
        return 1;
    self->stopped = "a NUL in a string";
    return 0;
}

static int take_string(void *context, const unsigned char *text, size_t size)
{
    const token_t token = {.kind = TOKEN_STRING, .text = (const char *)text, .size = size};
    return no_nul(context, token.text, size) && take_value(context, &token);
}

static int take_object(void *context)
{
    return take_value(context, &(token_t){.kind = TOKEN_OBJECT});
}

static int take_list(void *context)
{
    return take_value(context, &(token_t){.kind = TOKEN_LIST});
}

static bool is_key(const char *one, const char *key, size_t size)
{
    return size > 0 && *one == *key && strncmp(one, key, size) == 0 && one[size] == '\0';
}

static const char *key_at(const node_t *node, size_t place)
{
    return place < node->field_count ? node->fields[place].key
                                     : node->counters->list[place - node->field_count].key;
}

/* The index of a key among those of the frame's node; one past the end if it isn't read. */
static size_t find_key(frame_t *frame, const char *key, size_t size)
{
    const node_t *node = frame->node;
    const size_t count = node->field_count + node->counter_count;
    atomic_uchar *follower = &node->followers[frame->next_key];
    const unsigned char last = atomic_load_explicit(follower, memory_order_relaxed);
    size_t place = last > 0 ? last - 1U : frame->next_key;
    for (size_t i = 0; i < count; i++, place++) {
        place = place < count ? place : 0;
        if (!is_key(key_at(node, place), key, size))
            continue;
        frame->next_key = place + 1;
        if (last != place + 1)
            atomic_store_explicit(follower, (unsigned char)(place + 1), memory_order_relaxed);
        return place;
    }
    return count;
}

/* A field that was found; NULL if it isn't read. */
static const field_t *field_at(const parser_t *self, frame_t *frame, size_t place)
{
    const field_t *field = &frame->node->fields[place];
    if (field->legacy && place > 0) {
        /* It comes after the field that it replaces. */
        frame->stronger |= 1U << (place - 1);
        return self->legacy ? field : NULL;
    }
    return self->legacy && (frame->stronger & 1U << place) ? NULL : field;
}

/* Finds the meaning of a key, in frame. */
static void take_record_key(parser_t *self, frame_t *frame, const char *key, size_t size)
{
    const node_t *node = frame->node;
    const size_t place = find_key(frame, key, size);
    frame->field = place < node->field_count ? field_at(self, frame, place) : NULL;
    frame->counter = place >= node->field_count && place < node->field_count + node->counter_count
                         ? &node->counters->list[place - node->field_count]
                         : NULL;
}

static int take_key(void *context, const unsigned char *key, size_t size)
{
    parser_t *self = context;
    const char *text = (const char *)key;
    if (!no_nul(self, text, size))
        return 0;
    if (self->skipped > 0 || self->error)
        return 1;
    frame_t *frame = &self->frames[self->frame_count - 1];
    if (frame->node->kind == NODE_RECORD)
        take_record_key(self, frame, text, size);
    else
        frame->name = arena_copy(self->strings, text, size);
    return 1;
}

static const yajl_callbacks callbacks = {
    .yajl_null = take_null,
    .yajl_boolean = take_boolean,
    .yajl_number = take_number,
    .yajl_string = take_string,
    .yajl_start_map = take_object,
    .yajl_map_key = take_key,
    .yajl_end_map = take_end,
    .yajl_start_array = take_list,
    .yajl_end_array = take_end,
};

/* ---- the lists, in order ---- */

/* Publishers are the streams of "event_counters", and of the agent's "event_streams". */
static void merge_publishers(parser_t *self)
{
    vector_sort_by_name(&self->draft.counters);
    vector_sort_by_name(&self->draft.streams);
    const response_publisher_t *counters = self->draft.counters.items;
    const response_publisher_t *streams = self->draft.streams.items;
    vector_t merged = {.item_size = sizeof *counters};
    size_t i = 0;
    size_t j = 0;
    while (i < self->draft.counters.count || j < self->draft.streams.count) {
        const int order = i == self->draft.counters.count ? 1
                          : j == self->draft.streams.count
                              ? -1
                              : strcmp(counters[i].name, streams[j].name);
        response_publisher_t *publisher = vector_add(&merged);
        *publisher = order < 0 ? counters[i] : streams[j];
        if (order == 0 && publisher->counts.pushed_event_count == RESPONSE_UNKNOWN)
            publisher->counts.pushed_event_count = counters[i].counts.pushed_event_count;
        i += order <= 0;
        j += order >= 0;
    }
    self->draft.response->publishers = vector_take(&merged, &self->draft.response->publisher_count);
}

static void finish(parser_t *self)
{
    response_t *response = self->draft.response;
    merge_publishers(self);
    vector_sort_by_name(&self->draft.subscriptions);
    vector_sort_by_name(&self->draft.channels);
    response->subscriptions =
        vector_take(&self->draft.subscriptions, &response->subscription_count);
    for (size_t i = 0; i < response->subscription_count; i++) {
        subscription_counts_t *counts = &response->subscriptions[i].counts;
        const bool is_minimum =
            counts->lost_event_count == RESPONSE_UNKNOWN && counts->known_lost_event_count > 0;
        if (is_minimum)
            counts->lost_event_count = counts->known_lost_event_count;
        else if (counts->lost_event_count != RESPONSE_UNKNOWN)
            counts->known_lost_event_count = counts->lost_event_count;
        response->subscriptions[i].lost_is_minimum = is_minimum;
    }
    response->channels = vector_take(&self->draft.channels, &response->channel_count);
    response->push_samples = vector_take(&self->draft.push_samples, &response->push_sample_count);
    response->receive_samples =
        vector_take(&self->draft.receive_samples, &response->receive_sample_count);
    response->not_connected =
        vector_take(&self->draft.not_connected, &response->not_connected_count);
    for (size_t i = 0; i < response->not_connected_count; i++) {
        response_not_connected_t *entry = &response->not_connected[i];
        entry->device = entry->device ? entry->device : arena_copy(self->strings, "", 0);
        entry->attribute = entry->attribute ? entry->attribute : arena_copy(self->strings, "", 0);
        entry->event_type =
            entry->event_type ? entry->event_type : arena_copy(self->strings, "", 0);
    }
    qsort(response->not_connected, response->not_connected_count, sizeof *response->not_connected,
          response_compare_not_connected);
    response->dialect = self->draft.has_agent ? RESPONSE_AGENT
                        : self->legacy        ? RESPONSE_LEGACY
                                              : RESPONSE_VERSION_1;
}

/* ---- the whole text ---- */

/* ---- whether there is a version ---- */

static int version_start(void *context)
{
    ((parser_t *)context)->depth++;
    return 1;
}

static int version_end(void *context)
{
    ((parser_t *)context)->depth--;
    return 1;
}

static int version_key(void *context, const unsigned char *key, size_t size)
{
    static const char version[] = "version";
    parser_t *self = context;
    if (self->depth == 1 && size == sizeof version - 1 && memcmp(key, version, size) == 0)
        self->legacy = false;
    return self->legacy;
}

/* The meaning of numbers depends on it, wherever in the text it is; mostly it comes first. */
static bool lacks_version(const char *text, size_t size, bool is_valid)
{
    static const yajl_callbacks calls = {
        .yajl_start_map = version_start,
        .yajl_map_key = version_key,
        .yajl_end_map = version_end,
        .yajl_start_array = version_start,
        .yajl_end_array = version_end,
    };
    parser_t self = {.legacy = true};
    size_t offset = 0;
    if (is_valid) {
        (void)json_scan_walk(&calls, &self, text, size, &offset);
        return self.legacy;
    }
    /* Whether the text is JSON is checked later. */
    yajl_handle handle = yajl_alloc(&calls, NULL, &self);
    yajl_parse(handle, (const unsigned char *)text, size);
    yajl_free(handle);
    return self.legacy;
}

static void parser_clear(parser_t *self)
{
    vector_t *vectors[] = {&self->draft.counters,        &self->draft.streams,
                           &self->draft.subscriptions,   &self->draft.channels,
                           &self->draft.not_connected,   &self->draft.push_samples,
                           &self->draft.receive_samples, &self->buckets};
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        free(vectors[i]->items);
    free(self->error);
}

/* How much memory strings are allocated in at a time, for a text of that size. */
static size_t chunk_size(size_t text_size)
{
    const size_t least = 512;
    const size_t most = (size_t)256 * 1024;
    const size_t size = text_size / 16;
    return size < least ? least : size > most ? most : size;
}

static response_t *parse(const char *text, size_t size, bool is_valid, char **error)
{
    response_t *response = memory_new(1, sizeof *response);
    response->strings = arena_new(chunk_size(size));
    parser_t self = {
        .draft.response = response,
        .strings = response->strings,
        .legacy = lacks_version(text, size, is_valid),
        .draft.counters.item_size = sizeof(response_publisher_t),
        .draft.streams.item_size = sizeof(response_publisher_t),
        .draft.subscriptions.item_size = sizeof(response_subscription_t),
        .draft.channels.item_size = sizeof(response_channel_t),
        .draft.not_connected.item_size = sizeof(response_not_connected_t),
        .draft.push_samples.item_size = sizeof(response_push_sample_t),
        .draft.receive_samples.item_size = sizeof(response_receive_sample_t),
        .buckets.item_size = sizeof(response_bucket_t),
    };
    schema_begin(&self.draft);
    char *problem = NULL;
    char *not_json = is_valid ? json_text_walk(&callbacks, &self, &self.stopped, text, size)
                              : json_text_parse(&callbacks, &self, &self.stopped, text, size);
    if (not_json) {
        problem = memory_format("not JSON: %s", not_json);
    } else if (self.error) {
        problem = memory_string(self.error);
    } else if (self.legacy && !self.draft.has_content) {
        problem = memory_string("not an answer of QueryEventSystem: none of \"version\", "
                                "\"server\" and \"client\" is there");
    }
    free(not_json);
    if (problem)
        response_destroy(&response);
    else
        finish(&self);
    parser_clear(&self);
    /* Passed on without anything that could disturb a terminal or break the line. */
    if (error)
        *error = problem ? printable_copy(problem, true) : NULL;
    free(problem);
    return response;
}

response_t *response_parse(const char *text, size_t size, char **error)
{
    if (!text) {
        text = "";
        size = 0;
    }
    return parse(text, size, json_scan_check(text, size, JSON_SCAN_LEVELS, NULL), error);
}

response_t *response_parse_valid(const char *text, size_t size, char **error)
{
    return parse(text, size, true, error);
}

void response_drop_samples(response_t *self)
{
    free(self->push_samples);
    self->push_samples = NULL;
    self->push_sample_count = 0;
    free(self->receive_samples);
    self->receive_samples = NULL;
    self->receive_sample_count = 0;
}

void response_destroy(response_t **self)
{
    response_t *response = *self;
    if (!response)
        return;
    response_drop_samples(response);
    arena_destroy(&response->strings);
    free(response->publishers);
    free(response->subscriptions);
    free(response->channels);
    free(response->not_connected);
    free(response);
    *self = NULL;
}
