#include "agent/tango/command_gate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "agent/platform/clocks.h"
#include "agent/platform/log.h"
#include "agent/tango/libtango.h"

static const elf_image_t *gate_libtango;
static _Atomic bool closed;
static _Atomic int32_t changing_thread; /* the kernel's id; 0: none */

static void pause_ns(long ns)
{
    nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

/* ---- readers that were there before ---- */

/* A thread that may be reading. */
typedef struct {
    int32_t id;
    bool done; /* it isn't any more */
    int asleep;
    unsigned long long begun_ns; /* the processor time that it had used; 0 if that isn't known */
} reader_t;

typedef struct {
    reader_t *all;
    size_t count;
    size_t capacity;
} readers_t;

enum {
    READ_NS = 2000000, /* of processor time; reading takes some 20 us */
    LOOKS_ASLEEP = 10, /* so many times, one after the other: not just for the allocator's lock */
    LOOK_NS = 1000000,
    LISTINGS = 50
};
/* The device's monitor is held meanwhile, for which clients wait 3.2 s at most. By the clock: where
 * threads get no processor, a pause of a millisecond takes many. */
static const int64_t patience_ns = 500000000;

/* False with errno. */
static bool read_file(const char *path, char *text, size_t size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t length = read(file, text, size - 1);
    int why = errno;
    close(file);
    errno = why;
    text[length > 0 ? length : 0] = '\0';
    return length > 0;
}

static bool read_of_thread(int32_t thread, const char *name, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/%s", thread, name);
    return read_file(path, text, size);
}

static unsigned long long processor_ns(int32_t thread)
{
    char text[128];
    return read_of_thread(thread, "schedstat", text, sizeof text) ? strtoull(text, NULL, 10) : 0;
}

static size_t count_threads(void)
{
    char text[4096];
    const char *line =
        read_file("/proc/self/status", text, sizeof text) ? strstr(text, "\nThreads:") : NULL;
    return line ? strtoul(line + strlen("\nThreads:"), NULL, 10) : 0;
}

static bool add_reader(readers_t *self, int32_t id)
{
    if (self->count == self->capacity) {
        const size_t capacity = 2 * self->capacity + 64;
        reader_t *more = realloc(self->all, capacity * sizeof *more);
        if (!more)
            return false;
        self->all = more;
        self->capacity = capacity;
    }
    self->all[self->count++] = (reader_t){.id = id};
    return true;
}

/* All other threads, or nearly. */
static bool list_once(readers_t *self)
{
    DIR *folder = opendir("/proc/self/task");
    bool listed = folder != NULL;
    self->count = 0;
    for (struct dirent *entry; listed && (entry = readdir(folder));) {
        const int32_t id = (int32_t)strtol(entry->d_name, NULL, 10);
        if (id > 0 && id != (int32_t)syscall(SYS_gettid))
            listed = add_reader(self, id);
    }
    if (folder)
        closedir(folder);
    return listed;
}

static bool is_same_list(const readers_t *one, const readers_t *other)
{
    if (one->count != other->count)
        return false;
    for (size_t i = 0; i < one->count; i++)
        if (one->all[i].id != other->all[i].id)
            return false;
    return true;
}

/*
 * All other threads. False if that can't be told, or without memory. While threads end, the kernel
 * may leave out others of the folder; so what it says is believed if it says it twice, and has as
 * many as it counts.
 */
static bool list_threads(readers_t *self)
{
    readers_t before = {0};
    bool listed = list_once(&before);
    bool sure = false;
    for (int i = 0; listed && !sure && i < LISTINGS; i++) {
        listed = list_once(self);
        sure = listed && is_same_list(&before, self) && self->count + 1 == count_threads();
        if (!sure) {
            readers_t swapped = before;
            before = *self;
            *self = swapped;
        }
    }
    free(before.all);
    for (size_t i = 0; sure && i < self->count; i++)
        self->all[i].begun_ns = processor_ns(self->all[i].id);
    return sure;
}

/*
 * Whether the thread can't be reading any more since the gate was closed: it waits for something
 * else, has worked for longer than reading takes, or has ended. One that waits for its memory (D),
 * or is stopped by a debugger, may be reading.
 */
static bool is_done(reader_t *self)
{
    char text[512];
    if (!read_of_thread(self->id, "stat", text, sizeof text))
        return errno == ENOENT || errno == ESRCH;
    const char *name_end = strrchr(text, ')');
    const char state = name_end && name_end[1] ? name_end[2] : 'R';
    if (state == 'Z' || state == 'X')
        return true;
    if (state == 'S')
        return ++self->asleep >= LOOKS_ASLEEP;
    self->asleep = 0;
    const unsigned long long now_ns = processor_ns(self->id);
    return self->begun_ns != 0 && now_ns > self->begun_ns && now_ns - self->begun_ns > READ_NS;
}

/* Whether none is left. */
static bool wait_for_readers(void)
{
    readers_t readers = {0};
    bool listed = list_threads(&readers);
    size_t left = readers.count;
    const int64_t until_ns = clock_monotonic_ns() + patience_ns;
    while (listed && left > 0 && clock_monotonic_ns() < until_ns) {
        pause_ns(LOOK_NS);
        for (size_t i = 0; i < readers.count; i++) {
            if (readers.all[i].done || !is_done(&readers.all[i]))
                continue;
            readers.all[i].done = true;
            left--;
        }
    }
    free(readers.all);
    return listed && left == 0;
}

/* ---- the hooks ---- */

static void wait_at_the_gate(void)
{
    while (atomic_load_explicit(&closed, memory_order_acquire))
        pause_ns(200000);
}

/* All of them have at most one argument besides `this`. */
typedef void *query_t(void *self, const void *argument);

#define QUERIES                                                                                    \
    QUERY(list_query, LIBTANGO_COMMAND_LIST_QUERY)                                                 \
    QUERY(list_query_thunk, LIBTANGO_COMMAND_LIST_QUERY_THUNK)                                     \
    QUERY(list_query_2, LIBTANGO_COMMAND_LIST_QUERY_2)                                             \
    QUERY(list_query_2_thunk, LIBTANGO_COMMAND_LIST_QUERY_2_THUNK)                                 \
    QUERY(list_query_6, LIBTANGO_COMMAND_LIST_QUERY_6)                                             \
    QUERY(list_query_6_thunk, LIBTANGO_COMMAND_LIST_QUERY_6_THUNK)                                 \
    QUERY(query, LIBTANGO_COMMAND_QUERY)                                                           \
    QUERY(query_thunk, LIBTANGO_COMMAND_QUERY_THUNK)                                               \
    QUERY(query_2, LIBTANGO_COMMAND_QUERY_2)                                                       \
    QUERY(query_2_thunk, LIBTANGO_COMMAND_QUERY_2_THUNK)                                           \
    QUERY(query_6, LIBTANGO_COMMAND_QUERY_6)                                                       \
    QUERY(query_6_thunk, LIBTANGO_COMMAND_QUERY_6_THUNK)

#define QUERY(name, symbol)                                                                        \
    static query_t *original_##name;                                                               \
    static void *gate_##name(void *self, const void *argument)                                     \
    {                                                                                              \
        wait_at_the_gate();                                                                        \
        return original_##name(self, argument);                                                    \
    }
QUERIES
#undef QUERY

static libtango_get_monitor_t *original_get_monitor;

static void gate_get_monitor(void *self)
{
    original_get_monitor(self); /* throws if it has to wait for too long */
    int32_t changing = atomic_load_explicit(&changing_thread, memory_order_relaxed);
    if (changing != 0 && changing == (int32_t)syscall(SYS_gettid) && !atomic_load(&closed))
        command_gate_close();
}

#define QUERY(name, symbol) {symbol, (void *)gate_##name, (void **)&original_##name},
static const libtango_hook_t query_hooks[] = {QUERIES};
#undef QUERY

static const libtango_hook_t monitor_hook = {LIBTANGO_GET_MONITOR, (void *)gate_get_monitor,
                                             (void **)&original_get_monitor};

enum { QUERY_HOOKS = sizeof query_hooks / sizeof *query_hooks };

void command_gate_begin(const elf_image_t *libtango)
{
    gate_libtango = libtango;
    if (libtango_hook(libtango, query_hooks, QUERY_HOOKS) <= 0)
        log_line(LOG_DEBUG, "clients that query commands meanwhile can't be made to wait");
}

bool command_gate_close(void)
{
    atomic_store(&closed, true);
    return wait_for_readers();
}

void command_gate_close_with_monitor(void)
{
    atomic_store(&changing_thread, (int32_t)syscall(SYS_gettid));
    if (libtango_hook(gate_libtango, &monitor_hook, 1) <= 0)
        command_gate_close();
}

void command_gate_open(void)
{
    if (atomic_exchange(&changing_thread, 0) != 0)
        libtango_unhook(gate_libtango, &monitor_hook, 1);
    atomic_store(&closed, false);
}

void command_gate_end(void)
{
    libtango_unhook(gate_libtango, query_hooks, QUERY_HOOKS);
}

void command_gate_forget(void)
{
    atomic_store(&changing_thread, 0);
    atomic_store(&closed, false);
}
