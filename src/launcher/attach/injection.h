/*
 * injection: loads a library into a running process.
 *
 * One thread of the process, which waits for something from outside, is stopped for some 0.1 ms and
 * given a little code of ours to run, which starts another thread; that loads the library (see
 * payload.h). All others run on all the time. Nothing has to be readable or writable where the
 * process lives: the library goes through a memory file of its own.
 *
 * Whatever happens to us, at any moment, the process lives on: everything that could disturb it is
 * one system call, the one that sets the stopped thread's registers; before that nothing has
 * changed but some bytes that nobody uses, and from then on it needs us no more.
 *
 * One attacher at a time works on a process. Two of the same /proc have a lock (on /proc/PID/mem,
 * and on the program, for those in other containers), which ends with them. Nor is a process
 * touched while the threads of an attacher that was killed are still at it.
 */
#ifndef LAUNCHER_INJECTION_H
#define LAUNCHER_INJECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "launcher/attach/injection_check.h"

/* How long the thread was stopped, at most, in microseconds; and how long it all took. */
typedef struct {
    double stopped_us;
    double total_us;
} injection_times_t;

/*
 * Loads a library, of so many bytes, into a process. Without INJECTION_OK error is one line, as of
 * injection_check(), and the process is as before; after INJECTION_TIMEOUT the library may still be
 * loaded. With may_be_lost it is tried although there are seccomp filters that can't be read.
 */
injection_result_t injection_load(pid_t pid, const void *library, size_t size, bool may_be_lost,
                                  injection_times_t *times, char *error, size_t error_size);

#endif
