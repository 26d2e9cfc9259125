/*
 * payload: the machine code that another process runs for us, and the mailbox by which it and we
 * talk.
 *
 * A thread of the process (the *waiter*), in the middle of a system call in which it waits, runs
 * its first part: it starts another thread (the *loader*) with pthread_create, and continues its
 * system call by itself. All that may take long happens in the loader, which is a thread of the C
 * library's like any other: it makes a memory file, waits until we have written the library into
 * it, and opens it with dlopen. So the waiter never waits for the dynamic loader's lock, which
 * another thread may hold for seconds.
 *
 * Neither needs us once it runs: if we are killed, the waiter continues all the same, and the
 * loader closes the file after a few seconds, and ends.
 */
#ifndef LAUNCHER_PAYLOAD_H
#define LAUNCHER_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

/* What it begins with, so that a later attacher knows what is left of an earlier one. */
#define PAYLOAD_SIGNATURE "SKA-TANGO-ATTACH"

enum {
    PAYLOAD_SIGNATURE_SIZE = 16,
    PAYLOAD_MAILBOX_AT = 16, /* where the address of its mailbox is in it */
    PAYLOAD_STACK_GAP =
        256 /* how much below the waiter's stack it begins: the red zone, and more */
};

typedef enum {
    WAITER_NONE,
    WAITER_GIVEN,   /* its thread is about to be sent into the payload, or has been */
    WAITER_ENTERED, /* its thread is in it */
    WAITER_LEFT     /* but for its last instructions */
} waiter_state_t;

typedef enum {
    LOADER_NONE,
    LOADER_STARTED,
    LOADER_FILE, /* it waits for the library to be written into its file */
    LOADER_DONE  /* but for its last instructions; the file is closed */
} loader_state_t;

typedef enum { LOADER_GO_NONE, LOADER_GO, LOADER_GO_LATE /* it gave up */ } loader_go_t;

/* In the process; the assembler code knows the offsets. Threads are numbered as the process itself
 * sees them. */
typedef struct {
    uint64_t nonce; /* of the one who attaches; never 0 */
    uint32_t waiter_state;
    int32_t waiter_thread;
    uint64_t waiter_stack; /* the stack pointer with which it will continue */
    int64_t created; /* 0: the loader was started; < 0: no memory; > 0: pthread_create's error */
    uint32_t loader_state;
    int32_t loader_thread;
    int64_t file;    /* the descriptor, or minus an errno; -EBADF: somebody has closed it */
    uint64_t handle; /* what dlopen returned */
    uint32_t go;
    uint32_t has_mask; /* the waiter's signals may be blocked already; then mask is its own */
    char path[40];     /* for dlopen, before LOADER_GO */
    uint64_t mask;
    char text[400]; /* what dlerror says */
} mailbox_t;

/* Addresses in the process, and constants. The assembler code knows this, too. */
typedef struct {
    uint64_t mailbox;
    uint64_t pthread_create, pthread_detach, errno_location;
    uint64_t dlopen, dlerror; /* dlerror may be 0 */
    uint64_t dlopen_flags;
    uint64_t memfd_flags;
    char file_name[32];
    char thread_name[16];
} payload_t;

/* All signals that the waiter doesn't take, as a mask. */
#define PAYLOAD_SIGNALS UINT64_C(0xfffffffeffffffff)

/* The size of the code with its constants; and where in it a thread has to enter. */
size_t payload_size(void);
size_t payload_entry(void);

/*
 * Makes it, into code, of payload_size() bytes. To enter it: rip: payload_entry(); rcx: where to
 * continue (a system call destroys it anyway, as it does r11); rax: the value to continue with: the
 * number of the system call at rcx, or -EINTR, with which it has returned; rsp: PAYLOAD_STACK_GAP
 * less than the thread's. Everything else stays the thread's own, and is so again afterwards. Its
 * signals may be blocked (PAYLOAD_SIGNALS), if the mailbox has its mask.
 */
void payload_make(const payload_t *payload, void *code);

#endif
