/*
 * json_writer: builds a JSON text. The agent may depend on nothing but libc, so it has its own.
 *
 * Bytes outside printable ASCII are written as \u00XX, each as if it were Latin-1 (which is how
 * Tango defines its strings): the text is ASCII whatever a name from the network contains.
 */
#ifndef STEM_AGENT_JSON_WRITER_H
#define STEM_AGENT_JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    char *text;
    size_t size;
    size_t capacity;
    bool failed;      /* memory ran out; the text isn't complete */
    bool needs_comma; /* before the next key or value */
} json_writer_t;

void json_init(json_writer_t *self);

/* How many bytes were written so far. */
size_t json_size(const json_writer_t *self);

/* The text, NUL-terminated, owned by the caller (free), or NULL if memory ran out. The writer is
   empty then. */
char *json_take(json_writer_t *self);

void json_open_object(json_writer_t *self);
void json_close_object(json_writer_t *self);
void json_open_list(json_writer_t *self);
void json_close_list(json_writer_t *self);

/* The key of the value that is written next. */
void json_key(json_writer_t *self, const char *key);

/* Bytes from 0x7f on are written as the characters of these numbers. */
void json_string(json_writer_t *self, const char *value);
/* UTF-8; what isn't becomes U+FFFD. */
void json_utf8(json_writer_t *self, const char *value);
void json_integer(json_writer_t *self, int64_t value);
void json_unsigned(json_writer_t *self, uint64_t value);
void json_bool(json_writer_t *self, bool value);
void json_null(json_writer_t *self);

/* "2026-11-23T03:46:36.123456+00:00" (UTC), or null for 0. time_ns: since the epoch. */
void json_time(json_writer_t *self, int64_t time_ns);

#endif
