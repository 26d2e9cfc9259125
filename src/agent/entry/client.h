/* client: whether processes that only receive are to be watched. */
#ifndef STEM_AGENT_CLIENT_H
#define STEM_AGENT_CLIENT_H

#include <stdbool.h>

/* False with SKA_TANGO_EVENT_AGENT=servers. */
bool client_is_watched(void);

#endif
