/* Opening another process's memory file, also where the process says that it is another file. */
#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launcher/attach/memory_file.h"

#define NAME "the-name"
/* What a memory file of the name is called in /proc. */
#define SHOWN_NAME "memfd:" NAME " (deleted)"

enum { NOBODY = 65534 };

/* A process that has a file open, or some. */
typedef struct {
    pid_t pid;
    int file; /* -1: this isn't possible here */
} holder_t;

static holder_t start(int (*make)(const char *argument), const char *argument)
{
    holder_t self = {.file = -1};
    int says[2];
    assert_int_equal(pipe2(says, O_CLOEXEC), 0);
    self.pid = fork();
    if (self.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int file = make(argument);
        if (write(says[1], &file, sizeof file) == sizeof file)
            pause();
        _exit(0);
    }
    close(says[1]);
    assert_int_equal(read(says[0], &self.file, sizeof self.file), sizeof self.file);
    close(says[0]);
    return self;
}

static void end(const holder_t *self)
{
    kill(self->pid, SIGKILL);
    waitpid(self->pid, NULL, 0);
}

static void assert_refuses(int (*make)(const char *argument), const char *argument)
{
    const holder_t holder = start(make, argument);
    assert_true(holder.file >= 0);
    errno = 0;
    assert_int_equal(memory_file_open(holder.pid, holder.file, NAME), -1);
    assert_int_equal(errno, EBADF);
    end(&holder);
}

/* ---- what there may be ---- */

static int memory(const char *name)
{
    return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

static int memory_with_content(const char *name)
{
    const int file = memory(name);
    return write(file, "x", 1) == 1 ? file : -1;
}

static int pipe_end(const char *unused)
{
    int ends[2];
    (void)unused;
    return pipe(ends) == 0 ? ends[0] : -1;
}

static int unlinked_file(const char *folder)
{
    return open(folder, O_TMPFILE | O_RDWR, 0600);
}

static int nothing(const char *unused)
{
    (void)unused;
    const int file = memory("");
    close(file);
    return file;
}

static bool put(const char *path, const char *text)
{
    const int file = open(path, O_WRONLY | O_CLOEXEC);
    const bool ok = file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text);
    if (file >= 0)
        close(file);
    return ok;
}

/* Anybody may be root of a user namespace, and mount there. */
static bool become_root_elsewhere(void)
{
    char users[64];
    char groups[64];
    if (getuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
        return false;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* it is lost, with that */
    prctl(PR_SET_DUMPABLE, 1);
    snprintf(users, sizeof users, "0 %u 1", getuid());
    snprintf(groups, sizeof groups, "0 %u 1", getgid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && put("/proc/self/setgroups", "deny") &&
           put("/proc/self/uid_map", users) && put("/proc/self/gid_map", groups);
}

/* A file of somebody else's, which it may not even read, under the name that a memory file has. */
static int somebody_elses(const char *victim)
{
    if (!become_root_elsewhere() || mount("none", "/mnt", "tmpfs", 0, "") != 0 ||
        chdir("/mnt") != 0)
        return -1;
    const int file = open(SHOWN_NAME, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (file < 0 || mkdir("old", 0700) != 0 || mount(victim, SHOWN_NAME, NULL, MS_BIND, NULL) != 0)
        return -1;
    close(file);
    return syscall(SYS_pivot_root, ".", "old") == 0 ? open("/" SHOWN_NAME, O_PATH | O_CLOEXEC) : -1;
}

/* The same for a file that was unlinked: there is the root folder's name before it only. */
static int unlinked_in_root(const char *unused)
{
    (void)unused;
    if (!become_root_elsewhere() || mount("none", "/mnt", "tmpfs", 0, "") != 0 ||
        chdir("/mnt") != 0 || mkdir("old", 0700) != 0 || syscall(SYS_pivot_root, ".", "old") != 0)
        return -1;
    const int file = open("/memfd:" NAME, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    return unlink("/memfd:" NAME) == 0 ? file : -1;
}

/* ---- the tests ---- */

static void opens_an_empty_one(void **state)
{
    (void)state;
    char text[8] = "";
    const holder_t holder = start(memory, NAME);
    const int file = memory_file_open(holder.pid, holder.file, NAME);
    assert_true(file >= 0);
    assert_int_equal(fcntl(file, F_GETFL) & O_ACCMODE, O_WRONLY);
    assert_int_equal(fcntl(file, F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(file, "text", 4), 4);
    close(file);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)holder.pid, holder.file);
    const int theirs = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(theirs, text, sizeof text), 4);
    assert_string_equal(text, "text");
    close(theirs);
    end(&holder);
}

static void refuses_others(void **state)
{
    (void)state;
    assert_refuses(memory, NAME "-2");
    assert_refuses(memory, "");
    assert_refuses(memory_with_content, NAME);
    assert_refuses(pipe_end, "");
    assert_refuses(unlinked_file, "/tmp");
    assert_refuses(nothing, "");
    assert_int_equal(memory_file_open(getpid(), INT64_MAX, NAME), -1);
    assert_int_equal(memory_file_open(getpid(), -1, NAME), -1);
}

static void is_not_deceived_by_names(void **state)
{
    (void)state;
    char path[] = "/tmp/test_memory_file.XXXXXX";
    struct stat before;
    struct stat after;
    const int victim = mkstemp(path); /* empty, as a memory file would be */
    assert_true(victim >= 0);
    assert_int_equal(fstat(victim, &before), 0);
    const holder_t holder = start(somebody_elses, path);
    if (holder.file >= 0) {
        char link[64];
        char shown[64] = "";
        snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)holder.pid, holder.file);
        assert_true(readlink(link, shown, sizeof shown - 1) > 0);
        assert_string_equal(shown, "/" SHOWN_NAME);
        assert_int_equal(memory_file_open(holder.pid, holder.file, NAME), -1);
        assert_int_equal(errno, EBADF);
        end(&holder);
        assert_refuses(unlinked_in_root, "");
    } else {
        end(&holder);
        puts("skipped: no user namespaces here");
    }
    assert_int_equal(fstat(victim, &after), 0);
    assert_int_equal(after.st_size, 0);
    close(victim);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_an_empty_one),
        cmocka_unit_test(refuses_others),
        cmocka_unit_test(is_not_deceived_by_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
