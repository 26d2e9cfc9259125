/*
 * memory_file: opens the memory file that another process has made for us, to write into it.
 *
 * The number is the process's word only, and it may lie: behind it may be a file of the machine's,
 * which only we may write, under whatever name. So nothing is opened for writing that isn't known
 * to be an empty memory file.
 */
#ifndef LAUNCHER_MEMORY_FILE_H
#define LAUNCHER_MEMORY_FILE_H

#include <stdint.h>
#include <sys/types.h>

/* A descriptor for writing, that the caller closes; or -1 with errno: EBADF if it is another file,
 * or none. */
int memory_file_open(pid_t pid, int64_t number, const char *name);

#endif
