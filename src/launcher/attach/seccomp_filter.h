/*
 * seccomp_filter: what a seccomp filter says to a system call: runs it, as the kernel does.
 */
#ifndef LAUNCHER_SECCOMP_FILTER_H
#define LAUNCHER_SECCOMP_FILTER_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Returns a SECCOMP_RET_* with its data. A program that the kernel would not have accepted (it
 * loops, reads elsewhere, or ends without an answer) kills: SECCOMP_RET_KILL_PROCESS.
 */
uint32_t seccomp_filter_run(const struct sock_filter *program, size_t length,
                            const struct seccomp_data *data);

/* Which of two filters' answers the kernel follows: the stricter one. */
uint32_t seccomp_filter_stricter(uint32_t one, uint32_t other);

#endif
