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

#endif
