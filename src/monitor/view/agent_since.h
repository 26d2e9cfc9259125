/*
 * agent_since: says from when on an agent that came late knows anything, for people.
 */
#ifndef STEM_AGENT_SINCE_H
#define STEM_AGENT_SINCE_H

#include "response/response.h"

/*
 * "since 12:03:04, in a process that has run since 09:15:00", in local time, with the day where it
 * isn't that of the answer; NULL if the agent was there from the start, or if it doesn't say. The
 * caller frees it.
 */
char *agent_since_text(const response_t *response);

#endif
