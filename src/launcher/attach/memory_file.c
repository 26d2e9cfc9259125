#include "launcher/attach/memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file system of all memory files: the kernel's own, which nobody can mount. */
static bool find_device(dev_t *device)
{
    struct stat status;
    const int file = memfd_create("", MFD_CLOEXEC);
    const bool ok = file >= 0 && fstat(file, &status) == 0;
    if (file >= 0)
        close(file);
    if (ok)
        *device = status.st_dev;
    return ok;
}

/* Memory that processes share otherwise is in that file system, too. */
static bool has_name(int file, const char *name)
{
    char path[64];
    char expected[300];
    char target[300];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    snprintf(expected, sizeof expected, "/memfd:%s (deleted)", name);
    const ssize_t length = readlink(path, target, sizeof target - 1);
    target[length > 0 ? length : 0] = '\0';
    return strcmp(target, expected) == 0;
}

/* An empty one: what is another process's has something in it. */
static bool is_memory_file(int file, dev_t device, const char *name, struct stat *status)
{
    return fstat(file, status) == 0 && S_ISREG(status->st_mode) && status->st_nlink == 0 &&
           status->st_dev == device && status->st_size == 0 && has_name(file, name);
}

/* Opens the file that was looked at, for which its descriptor has to remain. */
static int open_found(int found, const struct stat *looked_at)
{
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "/proc/self/fd/%d", found);
    const int file = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file >= 0 && fstat(file, &status) == 0 && status.st_dev == looked_at->st_dev &&
        status.st_ino == looked_at->st_ino)
        return file;
    if (file >= 0) {
        close(file);
        errno = EBADF;
    }
    return -1;
}

int memory_file_open(pid_t pid, int64_t number, const char *name)
{
    char path[64];
    dev_t device = 0;
    struct stat status;
    if (!find_device(&device))
        return -1;
    snprintf(path, sizeof path, "/proc/%ld/fd/%lld", (long)pid, (long long)number);
    const int found = open(path, O_PATH | O_CLOEXEC); /* neither waits, nor does it open anything */
    if (found < 0) {
        errno = errno == ENOENT ? EBADF : errno;
        return -1;
    }
    const bool is_right = is_memory_file(found, device, name, &status);
    const int file = is_right ? open_found(found, &status) : -1;
    const int error = is_right ? errno : EBADF;
    close(found);
    errno = error;
    return file;
}
