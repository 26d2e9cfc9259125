#include "agent/platform/environment.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    PAGE = 4096,      /* or a multiple of it: nothing that begins in one may end in another */
    AT_ONCE = 64,     /* variables */
    MANY = 100000,    /* more than any environment has */
    NAME_SIZE = 32,   /* with "=", more than any of ours */
    VALUE_SIZE = 512, /* longer ones are cut off */
    ATTEMPTS = 16
};

/* ---- reading ---- */

/* Copies what can be read there, as far as it can; doesn't crash if nothing can. */
static size_t read_memory(const void *from, void *to, size_t size)
{
    size_t done = 0;
    for (size_t part = 0; done < size; done += part) {
        char *at = (char *)(uintptr_t)from + done;
        part = PAGE - (uintptr_t)at % PAGE;
        if (part > size - done)
            part = size - done;
        struct iovec here = {(char *)to + done, part};
        struct iovec there = {at, part};
        if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) != (ssize_t)part)
            break;
    }
    return done;
}

static bool can_read_memory(void)
{
    char something = 'x';
    char copy = '\0';
    return read_memory(&something, &copy, 1) == 1 && copy == something;
}

/* Whether a string of the environment is this variable; then its value is copied. */
static bool copy_value(const char *string, const char *name, char *value, size_t size)
{
    char head[NAME_SIZE] = "";
    const size_t length = strlen(name);
    if (read_memory(string, head, length + 1) != length + 1 || memcmp(head, name, length) != 0 ||
        head[length] != '=')
        return false;
    memset(value, 0, size);
    read_memory(string + length + 1, value, size - 1);
    return true;
}

/* Looks through the environment once, which another thread may change meanwhile. */
static bool look_through(const char *name, char *value, size_t size)
{
    char **at = __atomic_load_n(&environ, __ATOMIC_ACQUIRE);
    for (size_t done = 0; at && done < MANY; done += AT_ONCE) {
        char *strings[AT_ONCE + 1] = {NULL};
        read_memory(at + done, strings, AT_ONCE * sizeof *strings);
        for (size_t i = 0; i < AT_ONCE; i++) {
            if (!strings[i])
                return false;
            if (copy_value(strings[i], name, value, size))
                return true;
        }
    }
    return false;
}

/* As it was when the process began. */
static bool look_through_proc(const char *name, char *value, size_t size)
{
    FILE *file = fopen("/proc/self/environ", "re");
    char *string = NULL;
    size_t capacity = 0;
    const size_t length = strlen(name);
    bool found = false;
    while (file && !found && getdelim(&string, &capacity, '\0', file) > 0) {
        found = strncmp(string, name, length) == 0 && string[length] == '=';
        if (found)
            snprintf(value, size, "%s", string + length + 1);
    }
    free(string);
    if (file)
        fclose(file);
    return found;
}

/* What is found twice in a row wasn't being changed just then. */
bool environment_read(const char *name, char *value, size_t size)
{
    if (strlen(name) + 1 >= NAME_SIZE || size == 0)
        return false;
    if (!can_read_memory())
        return look_through_proc(name, value, size);
    char before[VALUE_SIZE] = "";
    bool was_found = look_through(name, before, sizeof before);
    for (int i = 0; i < ATTEMPTS; i++) {
        char again[VALUE_SIZE] = "";
        const bool found = look_through(name, again, sizeof again);
        const bool is_same = found == was_found && strcmp(before, again) == 0;
        was_found = found;
        memcpy(before, again, sizeof before);
        if (is_same)
            break;
    }
    snprintf(value, size, "%s", before);
    return was_found;
}

/* ---- what is wanted of it ---- */

static struct {
    const char *name;
    bool is_set;
    char value[VALUE_SIZE];
} variables[] = {
    {.name = "TANGO_HOST"},
    {.name = "SKA_TANGO_EVENT_AGENT"},
    {.name = "SKA_TANGO_EVENT_AGENT_LOG"},
    {.name = "SKA_TANGO_EVENT_AGENT_PERF"},
    {.name = "SKA_TANGO_EVENT_AGENT_SCHEMA"},
    {.name = "SKA_TANGO_EVENT_AGENT_SOCKET"},
};

enum { VARIABLES = sizeof variables / sizeof *variables };

static void read_all(void)
{
    for (size_t i = 0; i < VARIABLES; i++)
        variables[i].is_set =
            environment_read(variables[i].name, variables[i].value, sizeof variables[i].value);
}

static const char *value_of(const char *name)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_all);
    for (size_t i = 0; i < VARIABLES; i++)
        if (strcmp(variables[i].name, name) == 0)
            return variables[i].is_set ? variables[i].value : NULL;
    return NULL;
}

const char *environment_tango_host(void)
{
    return value_of("TANGO_HOST");
}

static atomic_bool ignored;

static struct {
    const char *name;
    const char *value;
} replaced[5];
static size_t replaced_count;

void environment_replace(const char *name, const char *value)
{
    if (replaced_count == sizeof replaced / sizeof *replaced)
        return;
    replaced[replaced_count].name = name;
    replaced[replaced_count++].value = value;
}

const char *environment_get(const char *name)
{
    for (size_t i = 0; i < replaced_count; i++)
        if (strcmp(replaced[i].name, name) == 0)
            return replaced[i].value;
    return atomic_load(&ignored) ? NULL : value_of(name);
}

void environment_ignore(void)
{
    atomic_store(&ignored, true);
}
