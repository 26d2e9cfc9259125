/*
 * local_time: times for people to read.
 */
#ifndef STEM_LOCAL_TIME_H
#define STEM_LOCAL_TIME_H

#include <time.h>

/*
 * The local time with its offset, as ISO 8601 writes it, to the second; "?" for a time that the
 * calendar can't hold. The caller frees it.
 */
char *local_time_text(time_t time);

/*
 * The local time with microseconds and its offset, as Python's fromisoformat() takes it:
 * "2026-03-01T12:00:00.000000+01:00"; "" for a year that hasn't four digits.
 */
enum { LOCAL_TIME_EXACT_SIZE = 64 };
void local_time_exact(const struct timespec *time, char text[LOCAL_TIME_EXACT_SIZE]);

/* "12:00:03" in local time; with the day and the offset, if that isn't the day of reference. The
 * caller frees it. */
char *local_time_of_day(time_t time, time_t reference);

#endif
