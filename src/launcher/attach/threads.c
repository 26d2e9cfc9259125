#include "launcher/attach/threads.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Signals of the C library itself, whose handlers do nothing that could harm (32, 33); as a mask.
 */
static const uint64_t internal_signals = (uint64_t)3 << 31;

/* Reads a small file of a process's, or one of its threads'. 0, or an errno and "". */
static int read_text(pid_t pid, pid_t thread, const char *name, char *text, size_t size)
{
    char path[96];
    if (thread != 0)
        snprintf(path, sizeof path, "/proc/%ld/task/%ld/%s", (long)pid, (long)thread, name);
    else
        snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, name);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t length = file >= 0 ? read(file, text, size - 1) : -1;
    const int error = length < 0 ? errno : 0;
    text[length > 0 ? length : 0] = '\0';
    if (file >= 0)
        close(file);
    return error;
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

/* 0 after the last one; with errno if it can't go on. */
static pid_t next_task(DIR *tasks)
{
    errno = 0;
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

/* ---- one thread ---- */

/* Of an errno: whether the process or thread is no more. */
static bool is_gone(int error)
{
    return error == ENOENT || error == ESRCH;
}

/* Threads, in the order of their numbers. */
typedef struct {
    pid_t *threads;
    size_t count, capacity;
} list_t;

static bool add(list_t *self, pid_t thread)
{
    if (self->count == self->capacity) {
        const size_t capacity = 2 * self->capacity + 64;
        pid_t *more = realloc(self->threads, capacity * sizeof *more);
        if (more == NULL)
            return false;
        self->threads = more;
        self->capacity = capacity;
    }
    self->threads[self->count++] = thread;
    return true;
}

static int compare_numbers(const void *a, const void *b)
{
    const pid_t left = *(const pid_t *)a;
    const pid_t right = *(const pid_t *)b;
    return left < right ? -1 : left > right;
}

/* 0 or an errno. One that lives may be missing: the kernel goes on behind the thread that it has
 * shown last, and skips one if that has ended meanwhile. */
static int list_threads(pid_t pid, list_t *list)
{
    int error = 0;
    DIR *tasks = open_tasks(pid);
    if (tasks == NULL)
        return errno;
    list->count = 0;
    for (pid_t thread = 0; error == 0 && (thread = next_task(tasks)) != 0;)
        error = add(list, thread) ? 0 : ENOMEM;
    error = error != 0 ? error : errno;
    closedir(tasks);
    if (error == 0 && list->count > 0)
        qsort(list->threads, list->count, sizeof *list->threads, compare_numbers);
    return error;
}

static size_t count_common(const list_t *one, const list_t *other)
{
    size_t count = 0;
    for (size_t i = 0, j = 0; i < one->count && j < other->count;) {
        const pid_t left = one->threads[i];
        const pid_t right = other->threads[j];
        count += left == right;
        i += left <= right;
        j += right <= left;
    }
    return count;
}

/* In found, or 0. An errno if one can't be looked at. */
static int find_in(pid_t pid, const list_t *list, int32_t inner, pid_t *found)
{
    char text[8192];
    *found = 0;
    for (size_t i = 0; i < list->count; i++) {
        const int error = read_text(pid, list->threads[i], "status", text, sizeof text);
        if (error != 0 && !is_gone(error))
            return error;
        if (error == 0 && inner_number(text, list->threads[i]) == inner) {
            *found = list->threads[i];
            return 0;
        }
    }
    return 0;
}

/* 0 and the thread, or 0 if it doesn't exist; or an errno if that isn't certain. It is if as many
 * are in a list from before as in one from after as there were in between: these were all. */
static int search(pid_t pid, int32_t inner, list_t lists[2], pid_t *found)
{
    enum { TRIES = 10 };
    int error = list_threads(pid, &lists[0]);
    for (int try = 0; try < TRIES && error == 0; try++) {
        const list_t *before = &lists[try % 2];
        list_t *after = &lists[1 - try % 2];
        error = find_in(pid, before, inner, found);
        if (error != 0 || *found != 0)
            return error;
        const long long count = threads_status(pid, 0, "Threads", 10, -1);
        error = list_threads(pid, after);
        if (error == 0 && count > 0 && (long long)count_common(before, after) == count)
            return 0;
    }
    if (is_gone(error))
        return 0;
    return error != 0 ? error : EAGAIN;
}

/* Whether the process is in a pid namespace of its own, and numbers its threads otherwise. */
static bool has_own_numbers(const char *status)
{
    const char *numbers = find_line(status, "NSpid");
    return numbers != NULL && strcspn(numbers + 1, "\t\n") < strcspn(numbers + 1, "\n");
}

/* Otherwise the thread can be asked for. */
static int find_thread(pid_t pid, int32_t inner, pid_t *found)
{
    char text[8192];
    list_t lists[2] = {{NULL}, {NULL}};
    *found = 0;
    int error = read_text(pid, 0, "status", text, sizeof text);
    if (error != 0)
        return is_gone(error) ? 0 : error;
    if (!has_own_numbers(text)) {
        error = read_text(pid, inner, "status", text, sizeof text);
        *found = error == 0 ? inner : 0;
        return is_gone(error) ? 0 : error;
    }
    error = search(pid, inner, lists, found);
    free(lists[0].threads);
    free(lists[1].threads);
    return error;
}

thread_state_t threads_state(pid_t pid, int32_t inner, wait_t *wait)
{
    char text[8192];
    pid_t found = 0;
    if (find_thread(pid, inner, &found) != 0)
        return THREAD_RUNS;
    if (found == 0)
        return THREAD_GONE;
    read_text(pid, found, "syscall", text, sizeof text);
    return parse_wait(text, wait) ? THREAD_WAITS : THREAD_RUNS;
}
