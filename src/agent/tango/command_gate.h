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

#include <stdbool.h>

#include "agent/platform/elf_image.h"

/* Puts the hooks in. One thread at a time uses the gate, from here to command_gate_end(). */
void command_gate_begin(const elf_image_t *libtango);

/*
 * Closes the gate, and waits until nobody is reading, which takes some 10 ms. False if somebody may
 * still be reading after half a second: a thread without a processor, say. Then the list must not
 * be changed. The caller holds the device's monitor, so that the gate isn't closed for long.
 */
bool command_gate_close(void);

/*
 * For a libtango in which the monitor can't be taken: this thread is about to change the list, and
 * the gate is closed once Tango has taken the monitor; or now, if that can't be seen. The list is
 * changed even if somebody may still be reading.
 */
void command_gate_close_with_monitor(void);

/* The list is changed, or could not be. */
void command_gate_open(void);

/* Takes the hooks out. */
void command_gate_end(void);

/* In a child of the process: whoever used it isn't there any more. */
void command_gate_forget(void);

#endif
