#include "process/namespaces.h"
#include "process/seconds.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How long to wait where as many others wait to be let in as may. */
#define AGAIN_NS 2000000

bool namespaces_differ(pid_t pid, const char *kind)
{
    char path[64];
    char own[64];
    char other[64];
    snprintf(path, sizeof path, "/proc/self/ns/%s", kind);
    const ssize_t own_length = readlink(path, own, sizeof own);
    snprintf(path, sizeof path, "/proc/%ld/ns/%s", (long)pid, kind);
    const ssize_t length = readlink(path, other, sizeof other);
    return own_length > 0 && length > 0 &&
           (length != own_length || memcmp(own, other, (size_t)length) != 0);
}

/* Calls nothing that may not be called after a fork in a program with threads. */
int namespaces_connect_here(const char *name, double deadline)
{
    const struct timespec moment = {.tv_nsec = AGAIN_NS};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t length = strlen(name);
    if (length + 1 > sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path + 1, name, length);
    const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
    const int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    while (made >= 0 && connect(made, (const struct sockaddr *)&address, size) != 0) {
        const bool is_full = errno == EAGAIN;
        const int why = is_full ? ETIMEDOUT : errno;
        if (is_full && seconds_now() < deadline) {
            nanosleep(&moment, NULL);
            continue;
        }
        close(made);
        errno = why;
        return -1;
    }
    return made;
}

/* ---- in a process of its own ---- */

typedef struct {
    int network; /* the namespaces; -1: stay in this one */
    int users;
    bool becomes; /* another user */
    uid_t user;
    gid_t group;
    const char *name;
    double deadline;
    int answer; /* where to send the descriptor, or a number that says why there is none */
} errand_t;

/* A message with room for a descriptor. */
typedef union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
} control_t;

static bool enter(const errand_t *self)
{
    bool becomes = self->becomes;
    if (self->network >= 0 && setns(self->network, CLONE_NEWNET) != 0) {
        /* Without rights here: those that the user has in a namespace of their own. */
        if (self->users < 0 || setns(self->users, CLONE_NEWUSER) != 0 ||
            setns(self->network, CLONE_NEWNET) != 0)
            return false;
        becomes = false;
    }
    return !becomes || (syscall(SYS_setresgid, self->group, self->group, self->group) == 0 &&
                        syscall(SYS_setresuid, self->user, self->user, self->user) == 0);
}

static void run(const errand_t *self)
{
    control_t control = {0};
    int why = 0;
    struct iovec data = {.iov_base = &why, .iov_len = sizeof why};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int made = enter(self) ? namespaces_connect_here(self->name, self->deadline) : -1;
    why = made < 0 ? errno : 0;
    if (made >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        control.align = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof made),
            .cmsg_level = SOL_SOCKET,
            .cmsg_type = SCM_RIGHTS,
        };
        memcpy(CMSG_DATA(&control.align), &made, sizeof made);
    }
    (void)sendmsg(self->answer, &message, MSG_NOSIGNAL);
}

/* ---- and in ours ---- */

/* Its descriptor; or -1 with errno. */
static int take_answer(int answer, double deadline)
{
    control_t control = {0};
    int why = 0;
    int made = -1;
    struct iovec data = {.iov_base = &why, .iov_len = sizeof why};
    struct msghdr message = {
        .msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    struct pollfd wait = {.fd = answer, .events = POLLIN};
    for (;;) {
        const double left = deadline - seconds_now();
        const int ready = left > 0 ? poll(&wait, 1, (int)(left * 1000) + 1) : 0;
        if (ready > 0)
            break;
        if (ready == 0) {
            errno = ETIMEDOUT;
            return -1;
        }
    }
    const ssize_t got = recvmsg(answer, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    const struct cmsghdr *head = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (head != NULL && head->cmsg_type == SCM_RIGHTS && head->cmsg_len == CMSG_LEN(sizeof made))
        memcpy(&made, CMSG_DATA(head), sizeof made);
    errno = got == sizeof why ? why : ECHILD;
    return made;
}

/* By the system call alone: fork() would run what libraries have registered for it. */
static int send_out(const errand_t *errand, int answer)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    const long child = syscall(SYS_clone, 0L, NULL, NULL, NULL, NULL);
    if (child == 0) {
        run(errand);
        syscall(SYS_exit_group, 0);
    }
    int why = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(errand->answer);
    if (child < 0) {
        errno = why;
        return -1;
    }
    const int made = take_answer(answer, errand->deadline);
    why = errno;
    kill((pid_t)child, SIGKILL);
    while (waitpid((pid_t)child, NULL, __WALL) < 0 && errno == EINTR) {
    }
    errno = why;
    return made;
}

static int open_namespace(pid_t pid, const char *kind)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/ns/%s", (long)pid, kind);
    return open(path, O_RDONLY | O_CLOEXEC);
}

int namespaces_connect_there(pid_t pid, uid_t user, gid_t group, const char *name, double deadline)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    const bool is_away = namespaces_differ(pid, "net");
    const errand_t errand = {
        .network = is_away ? open_namespace(pid, "net") : -1,
        .users = is_away && namespaces_differ(pid, "user") ? open_namespace(pid, "user") : -1,
        .becomes = geteuid() == 0 && user != 0,
        .user = user,
        .group = group,
        .name = name,
        .deadline = deadline,
        .answer = pair[1],
    };
    int made = -1;
    if (!is_away || errand.network >= 0)
        made = send_out(&errand, pair[0]);
    else
        close(pair[1]);
    const int why = errno;
    close(pair[0]);
    if (errand.network >= 0)
        close(errand.network);
    if (errand.users >= 0)
        close(errand.users);
    errno = why;
    return made;
}
