/*
 * commands: the commands of this process's admin device: to query agent_counts, and to switch
 * sampling on and off.
 */
#ifndef STEM_AGENT_COMMANDS_H
#define STEM_AGENT_COMMANDS_H

#include <stdint.h>

#include "agent/answer/answer.h"
#include "agent/platform/elf_image.h"

/*
 * Sets, once and before they are added, their libtango, which must live as long as the process, the
 * schema of QueryEventSystem, and when the agent began to watch (CLOCK_REALTIME).
 */
void commands_init(const elf_image_t *libtango, answer_schema_t schema, int64_t attached_ns);

/*
 * Adds them to the admin device, which has to exist: Tango::Util::server_init has returned. The
 * first call does it; others wait for it and do nothing. Waits for some seconds while the device is
 * busy; commands that can't be added then are added with the next command that the device executes.
 * A refusal is reported once on standard error. Before commands_init a call does nothing, and isn't
 * the first.
 */
void commands_add(void);

#endif
