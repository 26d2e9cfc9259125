/*
 * command_gate: lets a device's list of commands be changed while clients read it.
 *
 * The functions of a device that say what commands it has (command_list_query, command_query, and
 * their newer versions) read that list without the device's monitor, which protects it: a
 * std::vector that gets a new array under them would be their end. So they are hooked, where
 * clients call them: in the virtual tables. While the list is being changed, new readers wait at
 * the hook; and those that were in there before are given the time to end, which takes them
 * microseconds.
 *
 * A client of the device waits for some milliseconds once, nobody else does.
 */
#ifndef STEM_AGENT_COMMAND_GATE_H
#define STEM_AGENT_COMMAND_GATE_H

#include "agent/platform/elf_image.h"

/* Puts the hooks in. One thread at a time uses the gate, from here to command_gate_end(). */
void command_gate_begin(const elf_image_t *libtango);

/*
 * This thread is about to change the list: the gate is closed once it has the device's monitor,
 * which it may have to wait for; or now, if that can't be seen.
 */
void command_gate_changing(void);

/* It has done so, or could not. */
void command_gate_changed(void);

/* Takes the hooks out. */
void command_gate_end(void);

/* In a child of the process: whoever used it isn't there any more. */
void command_gate_forget(void);

#endif
