#include "monitor/view/agent_since.h"

#include <stdlib.h>

#include "base/local_time.h"
#include "base/memory.h"
#include "base/timespec.h"

static char *time_text(const char *time, const char *now)
{
    struct timespec when;
    struct timespec answered;
    if (!time || !timespec_parse(time, &when))
        return NULL;
    if (!now || !timespec_parse(now, &answered))
        answered.tv_sec = 0;
    return local_time_of_day(when.tv_sec, answered.tv_sec);
}

char *agent_since_text(const response_t *response)
{
    if (!response_is_late(response))
        return NULL;
    char *attached = time_text(response->agent_attached, response->agent_time);
    char *began = time_text(response->process_started, response->agent_time);
    char *text = attached ? memory_format("since %s, in a process that has run %s%s", attached,
                                          began ? "since " : "for longer", began ? began : "")
                          : NULL;
    free(attached);
    free(began);
    return text;
}
