/*
 * commands_abi: commands of our own in the admin device, made from C through the C++ ABI.
 *
 * The functions of libtango that it calls, and what it assumes about them, are in libtango.h,
 * except for the layout of a command object. Calls into libtango are guarded: exceptions end here.
 */
#ifndef STEM_AGENT_COMMANDS_ABI_H
#define STEM_AGENT_COMMANDS_ABI_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/platform/elf_image.h"
#include "agent/tango/libtango.h"

/*
 * What a command does. It is called in a thread of the ORB, with the argument's value if the
 * command takes a boolean. For a command that answers a string it returns the string,
 * NUL-terminated, to be freed; NULL if memory ran out. Other commands return NULL.
 */
typedef char *tango_action_t(bool argument);

typedef struct {
    const char *name;
    tango_type_t in_type; /* void or boolean */
    const char *in_description;
    tango_type_t out_type; /* void or string */
    const char *out_description;
    tango_action_t *action;
} tango_command_t;

/* Whether that is this process's admin device (a Tango::DeviceImpl). Only after a call that added
 * commands. */
bool commands_abi_is_admin_device(const void *device);

typedef enum {
    TANGO_ADDED,     /* or removed */
    TANGO_NO_DEVICE, /* there is no admin device yet */
    TANGO_BUSY,      /* not all could be added now; another attempt may succeed */
    TANGO_REFUSED    /* not all could be added, and never will be */
} tango_addition_t;

/*
 * Adds the commands that weren't added by an earlier call to the admin device of this process's
 * server, while clients may be using it. The commands (and their strings) and libtango must live as
 * long as the process, and be the same in each call. A refusal is reported on standard error. Any
 * thread may call it, one at a time. device_is_held: the calling thread holds the device's monitor,
 * so that isn't waited for, and a command that Tango refuses now will always be refused; otherwise
 * it waits for some seconds while the device is busy, and stops at the first command that isn't
 * accepted.
 */
tango_addition_t commands_abi_add(const elf_image_t *libtango, const tango_command_t *commands,
                                  size_t count, bool device_is_held);

/* Removes those that were added, likewise; the same call adds them again. */
tango_addition_t commands_abi_remove(const tango_command_t *commands, size_t count,
                                     bool device_is_held);

#endif
