/*
 * json_output: writes JSON to a stream, with the commas where they belong.
 */
#ifndef STEM_JSON_OUTPUT_H
#define STEM_JSON_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

/* A count that isn't known. */
#define JSON_OUTPUT_NULL INT64_C(-1)

/* Begin with {.out = ...}. Give keys in objects, and NULL for a key in lists and at the top. */
typedef struct {
    FILE *out;
    bool comma; /* before the next value */
} json_output_t;

void json_output_open(json_output_t *self, const char *key, char bracket); /* '{' or '[' */
void json_output_close(json_output_t *self, char bracket);                 /* '}' or ']' */

/* Any bytes; NULL is null. */
void json_output_string(json_output_t *self, const char *key, const char *text);
void json_output_boolean(json_output_t *self, const char *key, bool value);

/* JSON_OUTPUT_NULL is null. */
void json_output_count(json_output_t *self, const char *key, int64_t count);

/* NAN and infinity are null. */
void json_output_real(json_output_t *self, const char *key, double value);

/* As local_time_exact() writes it; null for a year that hasn't four digits. */
void json_output_time(json_output_t *self, const char *key, const struct timespec *time);

#endif
