/*
 * memory: allocation for programs that can do nothing sensible without memory: a failure is
 * reported on standard error and aborts the program. Everything returned is freed with free().
 *
 * The agent must not use this: it lives in other people's processes.
 */
#ifndef STEM_MEMORY_H
#define STEM_MEMORY_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

/* count elements of that size, zeroed. Never NULL, also for a count of 0. */
void *memory_new(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* Resizes old (NULL: a new one) to count elements of that size; what was added is not zeroed. */
void *memory_resize(void *old, size_t count, size_t size) __attribute__((returns_nonnull));

/* A copy of text; NULL for NULL. */
char *memory_string(const char *text) __attribute__((malloc));

/* A string of size bytes of text, followed by a NUL. Never NULL. */
char *memory_copy(const char *text, size_t size) __attribute__((malloc, returns_nonnull));

/* What printf would print, as a new string. */
char *memory_format(const char *format, ...)
    __attribute__((format(printf, 1, 2), malloc, returns_nonnull));
char *memory_vformat(const char *format, va_list arguments)
    __attribute__((format(printf, 1, 0), malloc, returns_nonnull));

/*
 * A stream into a new string: *text and its *size, not counting the final NUL, are set once
 * memory_stream_close() has returned.
 */
FILE *memory_stream_open(char **text, size_t *size) __attribute__((returns_nonnull));
void memory_stream_close(FILE *stream);

#endif
