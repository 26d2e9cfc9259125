/* process_start: when this process began to run. */
#ifndef STEM_AGENT_PROCESS_START_H
#define STEM_AGENT_PROCESS_START_H

#include <stdint.h>

/*
 * CLOCK_REALTIME in nanoseconds, accurate to 10 ms; CLOCK_NEVER if it can't be read. It is computed
 * from the time since boot: the system's clock may be set, so ask once and keep it.
 */
int64_t process_start_ns(void);

#endif
