/* The agent inside a PyTango wheel. */
#ifndef LAUNCHER_PATCH_WHEEL_H
#define LAUNCHER_PATCH_WHEEL_H

#include <stddef.h>

/*
 * Makes a wheel out of a PyTango wheel: the same PyTango, with the agent inside, which "import
 * tango" loads. The version gets "events" as (or at the end of) its local part: 9.5.0 becomes
 * 9.5.0+events. What was there under the new wheel's name is replaced, in one go.
 *
 * wheel:  the path of the PyTango wheel, which stays as it is.
 * agent:  the path of the agent's library.
 * folder: where the new wheel goes; NULL: beside the old one.
 *
 * Returns the new wheel's path, which the caller frees; or NULL, with one line for the user,
 * without its newline, in error[error_size], and then there is no new file.
 *
 * Source of what a wheel is: the Python packaging user guide, "Binary distribution format" and
 * "Core metadata"; PEP 440 for versions.
 */
char *patch_wheel(const char *wheel, const char *agent, const char *folder, char *error,
                  size_t error_size);

#endif
