/*
 * commands: the commands of this process's admin device: to query agent_counts, and to switch
 * sampling on and off.
 */
#ifndef STEM_AGENT_COMMANDS_H
#define STEM_AGENT_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/answer/answer.h"
#include "agent/platform/elf_image.h"

/*
 * Sets, once and before they are added, their libtango, which must live as long as the process, the
 * schema of QueryEventSystem, and when the agent began to watch (CLOCK_REALTIME), and
 * whether the process had run before without being watched.
 */
void commands_init(const elf_image_t *libtango, answer_schema_t schema, int64_t attached_ns,
                   bool is_late);

/* The server's end is noticed from now on, so that nothing is done to a device that is gone. One
 * that has begun is noticed only some milliseconds later. */
void commands_watch_end(void);

/*
 * Adds them to the admin device. Waits for some seconds while the device is busy; commands that
 * can't be added then, or because there is no admin device yet, are added by another call, or with
 * the next command that the device executes. A refusal is reported once on standard error. Before
 * commands_init a call does nothing, nor while the agent is detached.
 */
void commands_add(void);

/* Whether they could not be added (or removed) yet. */
bool commands_are_pending(void);

/* If so, tries again what could not be done: to add them, or to remove them. */
void commands_retry(void);

/*
 * The agent doesn't watch any more: they are removed from the admin device, as they were added, and
 * commands_add does nothing from now on; while that isn't possible they answer nothing.
 */
void commands_detach(void);

/* It watches again, since then (CLOCK_REALTIME): they are added again. */
void commands_attach_again(int64_t attached_ns);

/*
 * Runs one of them as the admin device would; argument: "true" or "false", in either case, for
 * one that takes a boolean, else "". The answer, empty for one without; the caller frees it. NULL
 * if there is no such command, the argument is neither, or there is no memory, with a line in
 * *error that lives as long as the process.
 */
char *commands_run(const char *name, const char *argument, const char **error);

/* In a child, after a fork: nobody else is asking them, and it isn't what its parent was.
 * Async-signal-safe. */
void commands_forget(void);

/* What this process is: see identity.h. */
char *commands_identify(void);

#endif
