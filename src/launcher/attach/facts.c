#include "launcher/attach/facts.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PATH_SIZE = 4096,
    CAPABILITY_DAC_OVERRIDE = 1,
    CAPABILITY_SYS_PTRACE = 19,
    CAPABILITY_SYS_ADMIN = 21
};

/* The number of the machine's own user namespace. Source: PROC_USER_INIT_INO of Linux, proc_ns.h.
 */
static const ino_t first_user_namespace = 0xEFFFFFFD;

const facts_places_t facts_of_this_machine = {.proc = PROCESS_PROC, .cgroups = "/sys/fs/cgroup"};

bool facts_may_trace_all(const facts_t *self)
{
    return (self->own_capabilities >> CAPABILITY_SYS_PTRACE & 1) != 0;
}

bool facts_may_open_all(const facts_t *self)
{
    return (self->own_capabilities >> CAPABILITY_DAC_OVERRIDE & 1) != 0;
}

/* Source: ptrace(2), PTRACE_SECCOMP_GET_FILTER, and seccomp_get_filter() in Linux'
 * kernel/seccomp.c. */
bool facts_may_read_filters(const facts_t *self)
{
    return (self->own_capabilities >> CAPABILITY_SYS_ADMIN & 1) != 0 && self->own_seccomp == 0 &&
           !self->are_we_away;
}

/* Reads a small file; how much, -1 if it can't be read. NUL-terminated in any case. */
static ssize_t read_text(const char *path, char *text, size_t size)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    text[0] = '\0';
    if (file < 0)
        return -1;
    const ssize_t length = read(file, text, size - 1);
    close(file);
    text[length > 0 ? length : 0] = '\0';
    return length;
}

/* ---- /proc/PID/status ---- */

/* The value of a line of it that begins so, or NULL. The name of the process, which is in the first
 * line, has no newline: the kernel escapes it. */
static const char *value_of(const char *status, const char *key)
{
    const size_t length = strlen(key);
    for (const char *line = status; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0)
            return line + length + strspn(line + length, " \t");
    }
    return NULL;
}

static long number_of(const char *status, const char *key, long otherwise)
{
    const char *value = value_of(status, key);
    return value != NULL ? strtol(value, NULL, 10) : otherwise;
}

static uint64_t bits_of(const char *status, const char *key)
{
    const char *value = value_of(status, key);
    return value != NULL ? strtoull(value, NULL, 16) : 0;
}

static void read_status(facts_t *self, const char *status)
{
    const char *state = value_of(status, "State:");
    const char *users = value_of(status, "Uid:");
    const char *features = value_of(status, "x86_Thread_features:");
    const char *shadow = features != NULL ? strstr(features, "shstk") : NULL;
    self->group = (pid_t)number_of(status, "Tgid:", self->process.pid);
    self->parent = (pid_t)number_of(status, "PPid:", 0);
    self->state = state != NULL ? *state : '\0';
    self->tracer = (pid_t)number_of(status, "TracerPid:", 0);
    self->seccomp = (int)number_of(status, "Seccomp:", 0);
    self->capabilities = bits_of(status, "CapPrm:");
    self->has_shadow_stack = shadow != NULL && shadow < features + strcspn(features, "\n");
    /* Kernels before 6.8 don't say it: their threads are children of 2, kthreadd. */
    self->is_kernel_thread =
        number_of(status, "Kthread:", self->parent == 2 || self->process.pid == 2) != 0 &&
        value_of(status, "VmSize:") == NULL && self->state != 'Z';
    for (size_t i = 0; users != NULL && i < 3; i++) {
        char *end = NULL;
        self->users[i] = (uid_t)strtoul(users, &end, 10);
        users = end;
    }
}

/* ---- other files ---- */

static void read_program(facts_t *self, const facts_places_t *places)
{
    char path[PATH_SIZE];
    Elf64_Ehdr header;
    snprintf(path, sizeof path, "%s/%ld/exe", places->proc, (long)self->process.pid);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t length = file >= 0 ? read(file, &header, sizeof header) : -1;
    if (file >= 0)
        close(file);
    if (length < (ssize_t)sizeof header || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        return;
    self->is_32_bits = header.e_ident[EI_CLASS] == ELFCLASS32;
    self->is_other_machine = header.e_machine != EM_X86_64;
}

/* Which C library it has. */
static void read_library(facts_t *self, const facts_places_t *places)
{
    char path[PATH_SIZE];
    char *line = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "%s/%ld/maps", places->proc, (long)self->process.pid);
    FILE *maps = fopen(path, "re");
    if (maps == NULL)
        return;
    while (getline(&line, &size, maps) > 0) {
        const char *name = strrchr(line, '/');
        if (name == NULL)
            continue;
        /* On Alpine; on Debian, that is a link to a libc.so. glibc's file of that name is a text.
         */
        self->has_musl |= strncmp(name, "/ld-musl-", 9) == 0 || strcmp(name, "/libc.so\n") == 0;
        self->has_glibc |=
            strncmp(name, "/libc.so.6", 10) == 0 || strncmp(name, "/libc-2.", 8) == 0;
    }
    free(line);
    fclose(maps);
}

/* "NAME=value" */
static void take_variable(const char *line, const char *name, char *value, size_t size)
{
    const size_t length = strlen(name);
    if (value[0] == '\0' && strncmp(line, name, length) == 0 && line[length] == '=')
        snprintf(value, size, "%.*s", (int)size - 1, line + length + 1);
}

/* As the process was started: what it has changed since doesn't show. */
static void read_environment(facts_t *self, const facts_places_t *places)
{
    char path[PATH_SIZE];
    char *line = NULL;
    size_t size = 0;
    if (self->process.agent != PROCESS_AGENT_AT_START)
        return;
    snprintf(path, sizeof path, "%s/%ld/environ", places->proc, (long)self->process.pid);
    FILE *variables = fopen(path, "re");
    if (variables == NULL)
        return;
    while (getdelim(&line, &size, '\0', variables) > 0) {
        take_variable(line, "SKA_TANGO_EVENT_AGENT", self->agent_setting,
                      sizeof self->agent_setting);
        take_variable(line, "SKA_TANGO_EVENT_AGENT_SOCKET", self->agent_socket,
                      sizeof self->agent_socket);
    }
    free(line);
    fclose(variables);
}

/* Whether its control group doesn't let it run: a paused container. */
static void read_group(facts_t *self, const facts_places_t *places)
{
    char path[PATH_SIZE];
    char text[PATH_SIZE];
    char value[64];
    char *rest = text;
    snprintf(path, sizeof path, "%s/%ld/cgroup", places->proc, (long)self->process.pid);
    if (read_text(path, text, sizeof text) <= 0)
        return;
    for (char *line = NULL; (line = strsep(&rest, "\n")) != NULL;) {
        char *controllers = strchr(line, ':');
        char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (group == NULL)
            continue;
        *group++ = '\0';
        if (controllers[1] == '\0') /* version 2 */
            snprintf(path, sizeof path, "%.64s%.3900s/cgroup.events", places->cgroups, group);
        else if (strcmp(controllers, ":freezer") == 0)
            snprintf(path, sizeof path, "%.64s/freezer%.3900s/freezer.state", places->cgroups,
                     group);
        else
            continue;
        if (read_text(path, value, sizeof value) > 0 &&
            (strstr(value, "frozen 1") != NULL || strncmp(value, "FROZEN", 6) == 0))
            self->is_frozen = true;
    }
}

static void read_tracer(facts_t *self, const facts_places_t *places)
{
    char path[PATH_SIZE];
    if (self->tracer == 0)
        return;
    snprintf(path, sizeof path, "%s/%ld/comm", places->proc, (long)self->tracer);
    read_text(path, self->tracer_name, sizeof self->tracer_name);
    self->tracer_name[strcspn(self->tracer_name, "\n")] = '\0';
}

/* The kernel decides it as it does for ptrace, and nothing happens to the process. */
static void try_memory(facts_t *self, const facts_places_t *places)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/%ld/mem", places->proc, (long)self->process.pid);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    self->memory_failure = file < 0 ? errno : 0;
    if (file >= 0)
        close(file);
}

static void read_ourselves(facts_t *self, const facts_places_t *places)
{
    char path[PATH_SIZE];
    char text[PATH_SIZE];
    struct stat namespace;
    snprintf(path, sizeof path, "%s/sys/kernel/yama/ptrace_scope", places->proc);
    self->ptrace_scope = read_text(path, text, sizeof text) > 0 ? (int)strtol(text, NULL, 10) : -1;
    snprintf(path, sizeof path, "%s/self/status", places->proc);
    read_text(path, text, sizeof text);
    self->own_capabilities = bits_of(text, "CapEff:");
    self->own_seccomp = (int)number_of(text, "Seccomp:", 0);
    snprintf(path, sizeof path, "%s/self/ns/user", places->proc);
    self->are_we_away = stat(path, &namespace) == 0 && namespace.st_ino != first_user_namespace;
    self->own_pid = getpid();
    self->own_user = geteuid();
}

void facts_read(facts_t *self, const facts_places_t *places, pid_t pid)
{
    char path[PATH_SIZE];
    char status[PATH_SIZE] = "";
    *self = (facts_t){0};
    self->result = process_read(&self->process, places->proc, pid);
    snprintf(path, sizeof path, "%s/%ld/status", places->proc, (long)pid);
    if (read_text(path, status, sizeof status) <= 0)
        self->result = PROCESS_GONE;
    read_status(self, status);
    read_tracer(self, places);
    read_group(self, places);
    read_program(self, places);
    read_library(self, places);
    read_environment(self, places);
    try_memory(self, places);
    read_ourselves(self, places);
}
