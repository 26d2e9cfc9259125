/*
 * Shared by the fuzzers: takes apart the bytes that libFuzzer makes up, from the beginning.
 *
 * Reading beyond the end gives zeros, so that every input means something.
 */
#ifndef STEM_FUZZ_H
#define STEM_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What libFuzzer calls; the second one where a fuzzer has its own way to change an input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

/* What it has for that; not there where the inputs are only replayed. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* Fails the run when it isn't so, also in a build without assertions. */
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fuzz_require_failed(__FILE__, __LINE__, #condition);                                   \
    } while (0)

__attribute__((noreturn)) static inline void fuzz_require_failed(const char *file, int line,
                                                                 const char *what)
{
    fprintf(stderr, "%s:%d: it should be that %s\n", file, line, what);
    abort();
}

typedef struct {
    const uint8_t *data;
    size_t size;
} input_t;

/* size bytes, or as many as are left; not copied. */
static inline input_t input_bytes(input_t *self, size_t count)
{
    if (count > self->size)
        count = self->size;
    input_t taken = {self->data, count};
    self->data += count;
    self->size -= count;
    return taken;
}

static inline uint8_t input_byte(input_t *self)
{
    input_t taken = input_bytes(self, 1);
    return taken.size == 1 ? taken.data[0] : 0;
}

/* Four bytes, little endian. */
static inline uint32_t input_number(input_t *self)
{
    uint32_t number = 0;
    for (int i = 0; i < 4; i++)
        number |= (uint32_t)input_byte(self) << 8 * i;
    return number;
}

/* A frame: two bytes for its length, little endian, then as many, or as many as are left. */
static inline input_t input_frame(input_t *self)
{
    size_t low = input_byte(self);
    size_t high = input_byte(self);
    return input_bytes(self, high << 8 | low);
}

/*
 * A copy of a frame in memory of its exact size, so that AddressSanitizer sees every byte that is
 * read before or after it, also if it is empty. The caller frees block.
 */
typedef struct {
    void *block;
    char *data;
    size_t size;
} exact_t;

static inline exact_t exact_copy(const void *data, size_t size)
{
    /* There is no empty block: one byte then, and the frame begins after it. */
    exact_t copy = {.block = calloc(1, size > 0 ? size : 1), .size = size};
    REQUIRE(copy.block);
    copy.data = size > 0 ? copy.block : (char *)copy.block + 1;
    if (size > 0)
        memcpy(copy.data, data, size);
    return copy;
}

#endif
