#include "agent/platform/environment.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

static atomic_bool ignored;

const char *environment_get(const char *name)
{
    return atomic_load(&ignored) ? NULL : getenv(name);
}

void environment_ignore(void)
{
    atomic_store(&ignored, true);
}
