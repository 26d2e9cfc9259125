/*
 * To be preloaded into a test server: writes into the file CALL_RECORDER_FILE which system calls
 * each of its threads makes, without tracing it, so that it can still be attached to. A line for
 * each thread, name that it has then, and system call: "TID NUMBER NAME".
 *
 * A seccomp filter asks a thread that has none of its own, which lets everything go on.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { THREADS = 4096, CALLS = 512 };

typedef struct {
    uint32_t thread;
    char name[16];
    uint64_t seen[CALLS / 64];
} seen_t;

static atomic_int listener = -1;
static int output;
static seen_t seen[THREADS];

static void read_name(uint32_t thread, char name[16])
{
    char path[64];
    memset(name, 0, 16);
    snprintf(path, sizeof path, "/proc/self/task/%u/comm", thread);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t length = file >= 0 ? read(file, name, 15) : 0;
    if (length > 0 && name[length - 1] == '\n')
        name[length - 1] = '\0';
    if (file >= 0)
        close(file);
}

static void note(uint32_t thread, uint32_t call)
{
    char line[64];
    char name[16];
    seen_t *one = seen;
    while (one < seen + THREADS - 1 && one->thread != 0 && one->thread != thread)
        one++;
    read_name(thread, name);
    if (one->thread != thread ||
        strcmp(one->name, name) != 0) { /* it is another one, or named anew */
        *one = (seen_t){.thread = thread};
        memcpy(one->name, name, sizeof name);
    }
    if (call >= CALLS || (one->seen[call / 64] & UINT64_C(1) << call % 64) != 0)
        return;
    one->seen[call / 64] |= UINT64_C(1) << call % 64;
    const int length = snprintf(line, sizeof line, "%u %u %s\n", thread, call, name);
    if (write(output, line, (size_t)length) != length)
        abort();
}

/* Calls the kernel itself: what is preloaded otherwise doesn't matter to it. */
static void *record(void *unused)
{
    (void)unused;
    while (atomic_load(&listener) < 0)
        usleep(100);
    for (;;) {
        struct seccomp_notif call = {0};
        if (ioctl(atomic_load(&listener), SECCOMP_IOCTL_NOTIF_RECV, &call) != 0)
            continue;
        note(call.pid, (uint32_t)call.data.nr);
        struct seccomp_notif_resp answer = {.id = call.id,
                                            .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        ioctl(atomic_load(&listener), SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
    return NULL;
}

__attribute__((constructor)) static void loaded(void)
{
    struct sock_filter ask[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)};
    const struct sock_fprog filter = {.len = 1, .filter = ask};
    const char *path = getenv("CALL_RECORDER_FILE");
    pthread_t recorder;
    sigset_t all;
    sigset_t before;
    output = path != NULL ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (output < 0)
        return;
    unsetenv("LD_PRELOAD"); /* its children are other processes */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&recorder, NULL, record, NULL) != 0)
        abort();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const long file =
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter);
    if (file >= 0) /* otherwise the kernel doesn't allow it: nothing is recorded */
        atomic_store(&listener, (int)file);
}
