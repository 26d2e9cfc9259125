/*
 * What the fuzzers share: the bytes that libFuzzer makes up, read as what a target wants.
 *
 * What is handed to the code under test is copied into a block of exactly its size, so that
 * AddressSanitizer sees a read of a single byte outside.
 */
#ifndef STEM_FUZZ_H
#define STEM_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Fails the run when it isn't so, also in a build without assertions. */
#define REQUIRE(condition) fuzz_require((condition), __FILE__, __LINE__, #condition)

static inline void fuzz_require(bool holds, const char *file, int line, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s:%d: it should be that %s\n", file, line, what);
    abort();
}

typedef struct {
    const uint8_t *data;
    size_t size;
} fuzz_input_t;

static inline uint32_t fuzz_number(fuzz_input_t *input, size_t bytes)
{
    uint32_t number = 0;
    for (size_t i = 0; i < bytes && input->size > 0; i++) {
        number |= (uint32_t)*input->data << (8 * i);
        input->data++;
        input->size--;
    }
    return number;
}

/* A block: two bytes for its length, then as many as there are. To be freed. */
static inline uint8_t *fuzz_block(fuzz_input_t *input, size_t *size)
{
    *size = fuzz_number(input, 2);
    if (*size > input->size)
        *size = input->size;
    /* Also of none: its first byte is outside. */
    uint8_t *copy = malloc(*size); /* NOLINT(clang-analyzer-optin.portability.UnixAPI) */
    REQUIRE(copy);
    memcpy(copy, input->data, *size);
    input->data += *size;
    input->size -= *size;
    return copy;
}

#endif
