/*
 * walk: reads the same facts from an event's frames as the agent's wire.c, in a way of its own, and
 * swaps the byte order of the numbers on its way. The fuzzer compares wire.c with it.
 */
#ifndef STEM_FUZZ_WALK_H
#define STEM_FUZZ_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    bool ok;
    size_t end; /* how many bytes of the frame are needed */
    uint32_t counter;
    bool is_error;
    int64_t time_ns;
} walk_result_t;

/* Frame 3. frame is changed as far as the walk comes. */
walk_result_t walk_call(uint8_t *frame, size_t size, bool little_endian);

/* Frame 4 of an event with a value (or of a pipe); idl: of its topic, 0 if it names none. */
walk_result_t walk_value(uint8_t *frame, size_t size, bool little_endian, int idl);
walk_result_t walk_pipe(uint8_t *frame, size_t size, bool little_endian);

#endif
