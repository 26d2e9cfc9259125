#include "agent/platform/environment.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static atomic_bool ignored;

static struct {
    const char *name;
    const char *value;
} replaced[4];
static size_t replaced_count;

void environment_replace(const char *name, const char *value)
{
    if (replaced_count == sizeof replaced / sizeof *replaced)
        return;
    replaced[replaced_count].name = name;
    replaced[replaced_count++].value = value;
}

const char *environment_get(const char *name)
{
    for (size_t i = 0; i < replaced_count; i++)
        if (strcmp(replaced[i].name, name) == 0)
            return replaced[i].value;
    return atomic_load(&ignored) ? NULL : getenv(name);
}

void environment_ignore(void)
{
    atomic_store(&ignored, true);
}
