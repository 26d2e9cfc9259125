#include "base/memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((noreturn)) static void out_of_memory(void)
{
    fputs("out of memory\n", stderr);
    abort();
}

void *memory_new(size_t count, size_t size)
{
    void *fresh = calloc(count ? count : 1, size ? size : 1);
    if (!fresh)
        out_of_memory();
    return fresh;
}

void *memory_resize(void *old, size_t count, size_t size)
{
    /* realloc() to 0 bytes may free and return NULL: ask for one byte at least. */
    void *fresh = reallocarray(old, count ? count : 1, size ? size : 1);
    if (!fresh)
        out_of_memory();
    return fresh;
}

char *memory_string(const char *text)
{
    if (!text)
        return NULL;
    char *copy = strdup(text);
    if (!copy)
        out_of_memory();
    return copy;
}

char *memory_copy(const char *text, size_t size)
{
    char *copy = memory_resize(NULL, size + 1, 1);
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

char *memory_vformat(const char *format, va_list arguments)
{
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        out_of_memory();
    return text;
}

char *memory_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = memory_vformat(format, arguments);
    va_end(arguments);
    return text;
}

FILE *memory_stream_open(char **text, size_t *size)
{
    FILE *stream = open_memstream(text, size);
    if (!stream)
        out_of_memory();
    return stream;
}

void memory_stream_close(FILE *stream)
{
    bool failed = ferror(stream) != 0;
    if (fclose(stream) != 0 || failed)
        out_of_memory();
}
