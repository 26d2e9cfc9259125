/*
 * late: whether, and with what options, ska-tango-event-agent attach has loaded this agent into a
 * process that was running already.
 */
#ifndef STEM_AGENT_LATE_H
#define STEM_AGENT_LATE_H

#include <stdbool.h>

/* Known from the moment the library is loaded, for good. */
bool late_is_late(void);

#endif
