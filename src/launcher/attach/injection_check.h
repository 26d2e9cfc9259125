/*
 * injection_check: whether a library can be loaded into a process, without doing it; and the
 * reasons why it can't, or couldn't.
 */
#ifndef LAUNCHER_INJECTION_CHECK_H
#define LAUNCHER_INJECTION_CHECK_H

#include <stddef.h>
#include <sys/types.h>

typedef enum {
    INJECTION_OK,

    /* What the process is. */
    INJECTION_NO_PROCESS, /* there is none (any more), or only its main thread's remains */
    INJECTION_32_BITS,    /* or another processor's */
    INJECTION_STATIC,     /* without a dynamic loader */
    INJECTION_MUSL,
    INJECTION_NO_DLOPEN,    /* its C library has not what is needed */
    INJECTION_SHADOW_STACK, /* its return addresses are guarded by the processor */
    INJECTION_NO_GAP,       /* there is no room for the code */
    INJECTION_BREAKPOINTS,  /* a debugger has left breakpoints in its loader */
    INJECTION_LOADED,       /* the agent is in it already */

    /* What is allowed. */
    INJECTION_FORBIDDEN,       /* to trace it, or to write into its memory */
    INJECTION_TRACED,          /* somebody does */
    INJECTION_SECCOMP,         /* its filters deny it a system call that is needed, or kill it */
    INJECTION_SECCOMP_UNKNOWN, /* it has filters that can't be read: may be lost */
    INJECTION_NO_MEMORY_FILE,  /* it can't make an (executable) memory file */

    /* What it is doing. */
    INJECTION_STOPPED,   /* by SIGSTOP or from a terminal, or frozen */
    INJECTION_BUSY,      /* somebody else attaches to it just now */
    INJECTION_NO_THREAD, /* none of its threads waits where it may be interrupted; try again */
    INJECTION_NO_ANSWER, /* the thread that should stop doesn't, or doesn't go on */
    INJECTION_NO_CLONE,  /* it can't start another thread */
    INJECTION_LOADER,    /* its loader refuses the library */
    INJECTION_TIMEOUT,   /* its loader takes too long; the library may be loaded later */
    INJECTION_CHANGED,   /* it ended, or runs another program, meanwhile */

    /* Ourselves. */
    INJECTION_NO_XSAVE, /* this processor is too old */
    INJECTION_FAILED    /* anything else: no memory, no descriptors */
} injection_result_t;

/*
 * Whether injection_load() would load a library into a process, as far as can be known before.
 * Without INJECTION_OK error is one line, without the process's name, with the remedy if there is
 * one. With the right to read seccomp filters, and if there are any, one of its threads is stopped
 * for some 0.1 ms to read them; nothing else of it is touched.
 *
 * INJECTION_SECCOMP_UNKNOWN is what an attempt needs the user's consent for; everything else is
 * looked at first.
 */
injection_result_t injection_check(pid_t pid, char *error, size_t error_size);

#endif
