#include "launcher/attach/threads.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Signals of the C library itself, whose handlers do nothing that could harm (32, 33); as a mask.
 */
static const uint64_t internal_signals = (uint64_t)3 << 31;

/* Reads a small file of a process's, or one of its threads'. "" if it can't be read. */
static void read_text(pid_t pid, pid_t thread, const char *name, char *text, size_t size)
{
    char path[96];
    if (thread != 0)
        snprintf(path, sizeof path, "/proc/%ld/task/%ld/%s", (long)pid, (long)thread, name);
    else
        snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, name);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t length = file >= 0 ? read(file, text, size - 1) : 0;
    text[length > 0 ? length : 0] = '\0';
    if (file >= 0)
        close(file);
}

/* What follows "NAME:" in a status file; or NULL. */
static const char *find_line(const char *status, const char *name)
{
    const size_t length = strlen(name);
    for (const char *line = status; *line != '\0';) {
        if (strncmp(line, name, length) == 0 && line[length] == ':')
            return line + length + 1;
        const char *end = strchr(line, '\n');
        line = end != NULL ? end + 1 : line + strlen(line);
    }
    return NULL;
}

static long long number_of(const char *status, const char *name, int base, long long missing)
{
    const char *value = find_line(status, name);
    return value != NULL ? (long long)strtoull(value, NULL, base) : missing;
}

long long threads_status(pid_t pid, pid_t thread, const char *name, int base, long long missing)
{
    char status[8192];
    read_text(pid, thread, "status", status, sizeof status);
    return number_of(status, name, base, missing);
}

/* The last number of NSpid: that in the innermost pid namespace. Kernels without the line have it
 * in no other. */
static int32_t inner_number(const char *status, pid_t thread)
{
    const char *at = find_line(status, "NSpid");
    long number = thread;
    for (char *end = NULL; at != NULL && *at != '\n'; at = end) {
        const long next = strtol(at, &end, 10);
        if (end == at)
            break;
        number = next;
    }
    return (int32_t)number;
}

static bool parse_wait(const char *text, wait_t *wait)
{
    uint64_t *arguments = wait->arguments;
    return sscanf(text,
                  "%" SCNd64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64
                  " %" SCNx64 " %" SCNx64,
                  &wait->number, &arguments[0], &arguments[1], &arguments[2], &arguments[3],
                  &arguments[4], &arguments[5], &wait->stack, &wait->at) == 9;
}

/* How good it is to be interrupted; the lower, the better. libzmq's reaper has next to nothing to
 * do.
 */
static int rank_of(pid_t pid, const thread_t *thread, wait_kind_t kind)
{
    char name[32];
    int rank = thread->no_handlers ? 4 : 6;
    read_text(pid, thread->thread, "comm", name, sizeof name);
    if (strncmp(name, "ZMQbg/Reaper", 12) == 0)
        rank = 0;
    else if (strncmp(name, "ZMQbg/", 6) == 0)
        rank = 2;
    return rank + (kind == WAIT_ENDLESS ? 0 : 1);
}

static bool look_at(const target_t *target, pid_t thread, thread_t *found)
{
    char text[8192];
    *found = (thread_t){.thread = thread};
    read_text(target->pid, thread, "syscall", text, sizeof text);
    if (!parse_wait(text, &found->wait))
        return false;
    const wait_kind_t kind = waits_kind(target, &found->wait);
    if (kind == WAIT_BAD)
        return false;
    read_text(target->pid, thread, "status", text, sizeof text);
    const uint64_t blocked = (uint64_t)number_of(text, "SigBlk", 16, 0) | internal_signals;
    const uint64_t caught = (uint64_t)number_of(text, "SigCgt", 16, -1);
    const char *state = find_line(text, "State");
    /* D: it can't be interrupted; T: it is stopped; t: somebody traces it. */
    if (state == NULL || strncmp(state, "\tS", 2) != 0)
        return false;
    found->no_handlers = (caught & ~blocked) == 0;
    found->inner = inner_number(text, thread);
    found->seccomp_mode = (int)number_of(text, "Seccomp", 10, 0);
    found->seccomp_filters = (int)number_of(text, "Seccomp_filters", 10, -1);
    if (kind == WAIT_STREAM && !found->no_handlers)
        return false;
    found->rank = rank_of(target->pid, found, kind);
    return true;
}

static int compare(const void *a, const void *b)
{
    const thread_t *left = a;
    const thread_t *right = b;
    if (left->rank != right->rank)
        return left->rank - right->rank;
    return left->thread < right->thread ? -1 : left->thread > right->thread;
}

static DIR *open_tasks(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/task", (long)pid);
    return opendir(path);
}

/* 0 after the last one. */
static pid_t next_task(DIR *tasks)
{
    for (const struct dirent *entry = NULL; (entry = readdir(tasks)) != NULL;)
        if (entry->d_name[0] != '.')
            return (pid_t)strtol(entry->d_name, NULL, 10);
    return 0;
}

size_t threads_find(const target_t *target, thread_t *threads, size_t max)
{
    size_t count = 0;
    DIR *tasks = open_tasks(target->pid);
    if (tasks == NULL)
        return 0;
    for (pid_t thread = 0; count < max && (thread = next_task(tasks)) != 0;)
        if (look_at(target, thread, &threads[count]))
            count++;
    closedir(tasks);
    qsort(threads, count, sizeof *threads, compare);
    return count;
}

thread_state_t threads_state(pid_t pid, int32_t inner, wait_t *wait)
{
    char text[8192];
    pid_t found = 0;
    DIR *tasks = open_tasks(pid);
    if (tasks == NULL)
        return THREAD_GONE;
    for (pid_t thread = 0; found == 0 && (thread = next_task(tasks)) != 0;) {
        read_text(pid, thread, "status", text, sizeof text);
        if (inner_number(text, thread) == inner)
            found = thread;
    }
    closedir(tasks);
    if (found == 0)
        return THREAD_GONE;
    read_text(pid, found, "syscall", text, sizeof text);
    return parse_wait(text, wait) ? THREAD_WAITS : THREAD_RUNS;
}
