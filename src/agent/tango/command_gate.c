#include "agent/tango/command_gate.h"

#include <dirent.h>
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
    unsigned long long begun_ns; /* the processor time that it had used */
} reader_t;

enum {
    READ_NS = 2000000, /* of processor time; reading takes some 20 us */
    LOOKS_ASLEEP = 2,  /* so many times, one after the other: not just for the allocator's lock */
    LOOK_NS = 1000000
};
/* The device's monitor is held meanwhile, for which clients wait 3.2 s at most. By the clock: where
 * threads get no processor, a pause of a millisecond takes many. */
static const int64_t patience_ns = 1000000000;

static bool read_file(int32_t thread, const char *name, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/%s", thread, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t length = read(file, text, size - 1);
    close(file);
    text[length > 0 ? length : 0] = '\0';
    return length > 0;
}

static unsigned long long processor_ns(int32_t thread)
{
    char text[128];
    return read_file(thread, "schedstat", text, sizeof text) ? strtoull(text, NULL, 10) : 0;
}

/* All other threads. NULL without memory. */
static reader_t *list_threads(size_t *count)
{
    DIR *folder = opendir("/proc/self/task");
    reader_t *list = NULL;
    size_t size = 0;
    *count = 0;
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        int32_t id = (int32_t)strtol(entry->d_name, NULL, 10);
        if (id <= 0 || id == (int32_t)syscall(SYS_gettid))
            continue;
        if (*count == size) {
            reader_t *more = realloc(list, (2 * size + 64) * sizeof *list);
            if (!more)
                break;
            list = more;
            size = 2 * size + 64;
        }
        list[(*count)++] = (reader_t){.id = id, .begun_ns = processor_ns(id)};
    }
    if (folder)
        closedir(folder);
    return list;
}

/* Whether the thread can't be reading any more since the gate was closed: it waits for something
 * else, has worked for longer than reading takes, or has ended. */
static bool is_done(reader_t *self)
{
    char text[512];
    if (!read_file(self->id, "stat", text, sizeof text))
        return true;
    const char *state = strrchr(text, ')');
    if (state && strlen(state) > 2 && state[2] != 'R')
        return ++self->asleep >= LOOKS_ASLEEP;
    self->asleep = 0;
    return processor_ns(self->id) - self->begun_ns > READ_NS;
}

static void wait_for_readers(void)
{
    size_t count;
    reader_t *readers = list_threads(&count);
    size_t left = count;
    const int64_t until_ns = clock_monotonic_ns() + patience_ns;
    for (int look = 0; look < LOOKS_ASLEEP || (left > 0 && clock_monotonic_ns() < until_ns);
         look++) {
        pause_ns(LOOK_NS);
        for (size_t i = 0; i < count; i++) {
            if (readers[i].done || !is_done(&readers[i]))
                continue;
            readers[i].done = true;
            left--;
        }
    }
    free(readers);
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

static void close_gate(void)
{
    atomic_store(&closed, true);
    wait_for_readers();
}

static void gate_get_monitor(void *self)
{
    original_get_monitor(self); /* throws if it has to wait for too long */
    int32_t changing = atomic_load_explicit(&changing_thread, memory_order_relaxed);
    if (changing != 0 && changing == (int32_t)syscall(SYS_gettid) && !atomic_load(&closed))
        close_gate();
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

void command_gate_changing(void)
{
    atomic_store(&changing_thread, (int32_t)syscall(SYS_gettid));
    if (libtango_hook(gate_libtango, &monitor_hook, 1) <= 0)
        close_gate();
}

void command_gate_changed(void)
{
    libtango_unhook(gate_libtango, &monitor_hook, 1);
    atomic_store(&changing_thread, 0);
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
