#include "monitor/poll/poller_parts.h"

#include <stdlib.h>

void poller_say(poller_t *self, poller_level_t level, char *line)
{
    self->say(self->say_context, level, line);
    free(line);
}
