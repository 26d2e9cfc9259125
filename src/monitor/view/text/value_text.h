/*
 * value_text: counts, rates and durations for people: the same in tables and on screens.
 *
 * Each function returns a text by value, to be used at once: value_text_rate(5).text. What isn't
 * known is
 * "-".
 */
#ifndef STEM_VALUE_TEXT_H
#define STEM_VALUE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    char text[48];
} value_text_t;

value_text_t value_text_count(int64_t count);

/* An increase: "(+5)"; "" if there is none. */
value_text_t value_text_step(int64_t step);

/* A number of lost events: ">=5*". */
value_text_t value_text_lost(int64_t lost, bool is_minimum, bool is_derived);

/* A rate in 1/s. */
value_text_t value_text_rate(double rate);

/* Microseconds, without a unit. */
value_text_t value_text_micros(double micros);

/* A duration with the unit that suits it, as short as possible: "1.02 us", "35 ms", "12.3 s",
 * "275 s". */
value_text_t value_text_duration(double seconds);

/* Bytes: "512 B", "1.21 kB", "34 GB". */
value_text_t value_text_bytes(int64_t bytes);

/* The mark of a number that the monitor derived. */
#define VALUE_TEXT_MARK "*"

#endif
