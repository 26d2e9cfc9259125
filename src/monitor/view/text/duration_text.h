/*
 * duration_text: durations for people.
 */
#ifndef STEM_DURATION_TEXT_H
#define STEM_DURATION_TEXT_H

/* "35 s", "2 min 3 s", "1 h 12 min"; with so many decimals below a minute. The caller frees it. */
char *duration_text(double seconds, int decimals);

#endif
