/*
 * user_name: what a user is called.
 */
#ifndef STEM_USER_NAME_H
#define STEM_USER_NAME_H

#include <stddef.h>
#include <sys/types.h>

/* The name, or the number of one that this machine (or container) doesn't know. May be called from
 * any thread. */
void user_name(uid_t user, char *name, size_t size);

#endif
