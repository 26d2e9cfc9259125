/*
 * identity: what this process is, for those that reach it through the agent's socket, which says
 * nothing but its pid.
 */
#ifndef STEM_AGENT_IDENTITY_H
#define STEM_AGENT_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/answer/answer.h"
#include "agent/platform/elf_image.h"

/* In a child, after a fork, forgets what it isn't: async-signal-safe. */
void identity_forget(void);

/*
 * A JSON object: pid, program, admin_device ("dserver/SERVER/INSTANCE"; null if this process has
 * none yet), tango_host (null if the environment had none when the agent began), tango_version (or
 * null), agent_version, loaded ("at start", or "late" if the process had run without being
 * watched), state ("watching" or "detached"), commands ("added" to the admin device, "missing" yet,
 * or null if there is none, or the agent is detached), attached. libtango: NULL if none is watched.
 * The caller frees it; NULL without memory.
 */
char *identity_text(const elf_image_t *libtango, const answer_origin_t *origin,
                    bool commands_are_missing);

#endif
