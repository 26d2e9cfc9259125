/*
 * namespaces: connects to abstract addresses, which belong to a network namespace, in that of
 * another process.
 */
#ifndef STEM_NAMESPACES_H
#define STEM_NAMESPACES_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether a process is in another namespace than this one: kind is "net" or "user". False also if
 * that can't be seen. */
bool namespaces_differ(pid_t pid, const char *kind);

/*
 * Connects by the deadline (CLOCK_MONOTONIC, in seconds). Returns a descriptor, which doesn't
 * block, or -1 with errno; ETIMEDOUT if too many others wait there.
 */
int namespaces_connect_here(const char *name, double deadline);

/*
 * The same in the network namespace of a process; root does so as that user and group. A process of
 * its own, which lives for a moment, enters it: so this may be called from any thread.
 */
int namespaces_connect_there(pid_t pid, uid_t user, gid_t group, const char *name, double deadline);

#endif
