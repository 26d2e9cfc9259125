/* The agent's path, and whether LD_PRELOAD can contain it. */
#ifndef LAUNCHER_AGENT_PATH_H
#define LAUNCHER_AGENT_PATH_H

#include <stddef.h>

/* Names the agent's file, instead of the one installed with the launcher. */
#define AGENT_LIB_VARIABLE "SKA_TANGO_EVENT_AGENT_LIB"

/* Finds the agent: what AGENT_LIB_VARIABLE names, or else the file in the library directory that
 * belongs to the launcher, in the build tree or wherever it was installed or moved to. Returns its
 * absolute path, which the caller frees; or NULL, with one line for the user, without its newline,
 * in error[error_size]. */
char *agent_path_find(char *error, size_t error_size);

/* Returns the new value of LD_PRELOAD, which the caller frees: path first, then what was there
 * (present may be NULL). Or NULL, with a line in error as above, when LD_PRELOAD can't hold path.
 */
char *agent_path_preload(const char *path, const char *present, char *error, size_t error_size);

#endif
