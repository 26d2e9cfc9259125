/*
 * agent_address: where the sockets of agents are, by what /proc says: for agent_socket.
 */
#ifndef STEM_AGENT_ADDRESS_H
#define STEM_AGENT_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* "ska-tango-event-agent/PID/RANDOM": less than an address may have. */
#define AGENT_ADDRESS_SIZE 64

typedef struct {
    char name[AGENT_ADDRESS_SIZE];
} agent_address_t;

/*
 * The abstract addresses of the sockets that listen under the name of a process, in its network
 * namespace. Others may have bound any number of them, or none may be there: an address of theirs
 * may have lines of the list in it. The caller frees them; NULL and 0: there are none.
 */
agent_address_t *agent_address_of(pid_t pid, size_t *count);

/* As agent_socket_find(). */
pid_t *agent_address_find(size_t *count, size_t *forbidden);

/* As agent_socket_began(). */
unsigned long long agent_address_began(pid_t pid);

/* The effective user and group of a process, as this one sees them. False: there is no such one. */
bool agent_address_user(pid_t pid, uid_t *user, gid_t *group);

#endif
