/*
 * process_name: how the commands name processes to their user.
 */
#ifndef LAUNCHER_PROCESS_NAME_H
#define LAUNCHER_PROCESS_NAME_H

#include <stddef.h>

#include "process/process.h"

/* "dserver/SERVER/INSTANCE", or the program, to be shown in a line; "" if neither is known. */
void process_name(const process_t *process, char *name, size_t size);

/* "1234 (dserver/Pub/1)", or only "1234". */
void process_name_with_pid(const process_t *process, char *name, size_t size);

#endif
