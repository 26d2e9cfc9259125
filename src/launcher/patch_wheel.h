/* The agent inside a PyTango wheel. */
#ifndef LAUNCHER_PATCH_WHEEL_H
#define LAUNCHER_PATCH_WHEEL_H

#include <stddef.h>

/*
 * Makes a new wheel from a PyTango wheel: the same PyTango, with the agent inside, which "import
 * tango" loads. The version gets "events" as (or at the end of) its local part: 9.5.0 becomes
 * 9.5.0+events. An existing file with the new wheel's name is replaced, atomically.
 *
 * wheel:  the path of the PyTango wheel, which stays as it is.
 * agent:  the path of the agent's library.
 * folder: where the new wheel goes; NULL: beside the old one.
 *
 * A signature of the old wheel's RECORD (RECORD.jws, RECORD.p7s) is not valid for the new one, and
 * is left out of it.
 *
 * Returns the new wheel's path, which the caller frees; or NULL, and then there is no new file. In
 * message[message_size] is one line for the user, without its newline: what failed, or what was
 * left out; empty if nothing was.
 *
 * Source of what a wheel is: the Python packaging user guide, "Binary distribution format" and
 * "Core metadata"; PEP 440 for versions.
 */
char *patch_wheel(const char *wheel, const char *agent, const char *folder, char *message,
                  size_t message_size);

#endif
