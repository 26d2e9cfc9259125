/*
 * seconds: how much time has passed, whatever is done to the clock.
 */
#ifndef STEM_PROCESS_SECONDS_H
#define STEM_PROCESS_SECONDS_H

/* CLOCK_MONOTONIC, in seconds. */
double seconds_now(void);

#endif
