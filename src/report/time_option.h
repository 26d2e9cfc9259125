/*
 * time_option: the times of --since and --until, as people type them.
 */
#ifndef STEM_TIME_OPTION_H
#define STEM_TIME_OPTION_H

#include <stdbool.h>
#include <time.h>

/* All 0: none was given. */
typedef struct {
    bool is_given;
    bool is_of_day;       /* the first such time of day after another time */
    struct timespec time; /* otherwise */
    int seconds;          /* of day, by local time */
    int precision;        /* likewise: 1 or 60 s */
} time_option_t;

/*
 * Takes "2026-03-01T12:00:00.000000+01:00", as recordings have them; the end may be left out, as
 * far as the day, a space may take the place of the T, and without an offset it is local time. Or
 * "12:00" or "12:00:30", a time of day. False if it is neither.
 */
bool time_option_parse(const char *text, time_option_t *time);

/* The moment of --since; of a time of day, the first one in a recording. One that begins within
 * that minute or second has it. */
struct timespec time_option_since(const time_option_t *self, const struct timespec *begin);

/* The moment of --until; of a time of day, the first one after since. */
struct timespec time_option_until(const time_option_t *self, const struct timespec *since);

#endif
