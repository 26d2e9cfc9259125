/*
 * timespec: points in time, read from text and compared. json_output_time() writes them.
 */
#ifndef STEM_TIMESPEC_H
#define STEM_TIMESPEC_H

#include <stdbool.h>
#include <time.h>

/*
 * Reads "2026-03-01T12:00:00.000000+01:00"; without an offset it is local time. False if it isn't
 * one, or its year doesn't have four digits in every time zone: *time is undefined then.
 */
bool timespec_parse(const char *text, struct timespec *time);

/* From one time to another, in seconds. */
double timespec_seconds_between(const struct timespec *from, const struct timespec *to);

/* So many seconds later; earlier, if they are negative. Fewer than 1e9 either way, or the time
 * itself is returned. */
struct timespec timespec_later(const struct timespec *time, double seconds);

#endif
