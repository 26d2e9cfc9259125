#include "process/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/answer/identity_program.h"
#include "process/agent_socket.h"
#include "process/json_member.h"
#include "process/machine_code.h"
#include "process/seconds.h"
#include "process/target.h"

#define AGENT_FILE  "libska-tango-event-agent"
#define MEMORY_FILE "/memfd:ska-tango-event-agent"
#define DELETED     " (deleted)"

/* As much of the arguments as the agent reads. */
enum { ARGUMENTS_SIZE = 4096 };

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void copy(char *text, size_t size, const char *from)
{
    const size_t length = strnlen(from, size - 1);
    memcpy(text, from, length);
    text[length] = '\0';
}

static bool begins_with(const char *text, const char *begin)
{
    return strncmp(text, begin, strlen(begin)) == 0;
}

const char *process_agent_name(process_agent_t agent)
{
    static const char *const names[] = {"none", "at start", "late"};
    return names[agent];
}

const char *process_state_name(process_state_t state)
{
    static const char *const names[] = {"unknown", "watching", "detached", "asleep"};
    return names[state];
}

/* ---- the arguments ---- */

/* Reads a file below /proc/PID; how much, or -1. */
static ssize_t read_file(const char *proc, pid_t pid, const char *name, char *data, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%ld/%s", proc, (long)pid, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -1;
    ssize_t length = read(file, data, size - 1);
    close(file);
    data[length > 0 ? length : 0] = '\0';
    return length;
}

/* The argument after the one that the program has its name from; "" without one. */
static const char *argument_after(const char *program, const char *line, size_t length)
{
    for (const char *word = line; word < line + length; word += strlen(word) + 1) {
        const char *next = word + strlen(word) + 1;
        if (strcmp(base_name(word), program) == 0 && next < line + length)
            return next;
    }
    return "";
}

/* Tango takes the first argument for the instance, and the program's name without its folder for
 * the server; PyTango leaves out ".py". */
static void read_arguments(process_t *self, const char *proc)
{
    char line[ARGUMENTS_SIZE];
    const ssize_t length = read_file(proc, self->pid, "cmdline", line, sizeof line);
    if (length <= 0)
        return;
    identity_program_of(self->program, sizeof self->program, line, (size_t)length);
    const char *instance = argument_after(self->program, line, (size_t)length);
    size_t name = strlen(self->program);
    if (name > 3 && strcmp(self->program + name - 3, ".py") == 0)
        name -= 3;
    if (*instance != '\0' && *instance != '-' && name > 0)
        snprintf(self->server, sizeof self->server, "%.*s/%s", (int)name, self->program, instance);
}

/* ---- what it has loaded ---- */

static bool is_libtango(const char *path)
{
    const char *name = base_name(path);
    /* "libtango.so.9.3.4"; in a wheel "libtango-fd4ed7a2.so.9.5.0". */
    return begins_with(name, "libtango.so") ||
           (begins_with(name, "libtango-") && strstr(name, ".so") != NULL);
}

static void add_object(process_t *self, const char *path)
{
    if (begins_with(path, MEMORY_FILE))
        self->agent = PROCESS_AGENT_LATE;
    else if (begins_with(base_name(path), AGENT_FILE) && self->agent == PROCESS_AGENT_NONE)
        self->agent = PROCESS_AGENT_AT_START;
    else if (is_libtango(path) && self->libtango[0] == '\0')
        copy(self->libtango, sizeof self->libtango, path);
    else if (is_libtango(path) && strcmp(path, self->libtango) != 0)
        copy(self->other_libtango, sizeof self->other_libtango, path);
}

/* 0, or an errno. */
static int read_maps(process_t *self, const char *proc)
{
    char path[512];
    char *line = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "%s/%ld/maps", proc, (long)self->pid);
    FILE *maps = fopen(path, "re");
    if (maps == NULL)
        return errno;
    while (getline(&line, &size, maps) > 0) {
        line[strcspn(line, "\n")] = '\0';
        const char *file = strchr(line, '/');
        if (file != NULL)
            add_object(self, file);
    }
    const int failure = ferror(maps) ? errno : 0;
    free(line);
    fclose(maps);
    return failure;
}

/* "libtango.so.9.3.4" says 9.3.4. */
static void version_of_name(const char *path, char *text, size_t size)
{
    const char *so = strstr(base_name(path), ".so.");
    const size_t length = so != NULL ? strspn(so + 4, "0123456789.") : 0;
    /* It may have been " (deleted)". */
    if (length > 0 && strchr(so + 4, '.') != NULL &&
        (so[4 + length] == '\0' || so[4 + length] == ' '))
        snprintf(text, size, "%.*s", (int)length, so + 4);
}

/* libtango says 934, or 1003 for 10.0.3. */
static void read_version(process_t *self, const target_t *target, const target_object_t *libtango)
{
    unsigned char code[16];
    const uint64_t address =
        target_symbol(target, libtango, "_ZN5Tango26_convert_tango_lib_releaseEv");
    const uint32_t release = address != 0 && target_read(target, address, code, sizeof code)
                                 ? machine_code_returned(code, sizeof code)
                                 : 0;
    if (release >= 100 && release < 10000)
        snprintf(self->tango_version, sizeof self->tango_version, "%u.%u.%u", release / 100,
                 release / 10 % 10, release % 10);
}

/* What its memory says. False if it says nothing. */
static bool read_memory(process_t *self)
{
    target_t target;
    char error[128];
    uint64_t util = 0;
    if (!target_open(&target, self->pid, error, sizeof error))
        return false;
    const target_object_t *libtango = target_find(&target, base_name(self->libtango));
    const uint64_t address =
        libtango != NULL ? target_symbol(&target, libtango, "_ZN5Tango4Util9_instanceE") : 0;
    const bool known = address != 0 && target_read(&target, address, &util, sizeof util);
    if (libtango != NULL)
        read_version(self, &target, libtango);
    /* Which the agent puts its own function in front of: see agent/entry/client.c. */
    self->is_unnoticed =
        self->agent == PROCESS_AGENT_AT_START && known && util == 0 &&
        !target_calls_by_name(&target, libtango, "_ZN5Tango7ApiUtil25create_zmq_event_consumerEv");
    target_close(&target);
    self->is_server = util != 0;
    return known;
}

/* ---- all of it ---- */

/* The effective user; false if there is no such process. */
static bool read_user(process_t *self, const char *proc)
{
    char status[4096];
    char *end = NULL;
    if (read_file(proc, self->pid, "status", status, sizeof status) <= 0)
        return false;
    const char *line = strstr(status, "\nUid:");
    if (line == NULL)
        return false;
    strtoul(line + strlen("\nUid:"), &end, 10);
    self->user = (uid_t)strtoul(end, NULL, 10);
    return true;
}

process_result_t process_read(process_t *self, const char *proc, pid_t pid)
{
    *self = (process_t){.pid = pid};
    if (!read_user(self, proc))
        return PROCESS_GONE;
    read_arguments(self, proc);
    const int failure = read_maps(self, proc);
    if (failure == EACCES || failure == EPERM)
        return PROCESS_FORBIDDEN;
    if (failure != 0)
        return PROCESS_GONE;
    if (self->libtango[0] == '\0') {
        self->server[0] = '\0';
        return PROCESS_NO_LIBTANGO;
    }
    if (!read_memory(self))
        self->is_server = self->server[0] != '\0';
    if (!self->is_server)
        self->server[0] = '\0';
    if (self->tango_version[0] == '\0')
        version_of_name(self->libtango, self->tango_version, sizeof self->tango_version);
    return PROCESS_READ;
}

/* ---- its agent ---- */

static void take(const char *answer, const char *key, char *text, size_t size)
{
    char value[512];
    if (json_member_text(answer, key, value, sizeof value))
        copy(text, size, value);
}

static void take_identity(process_t *self, const char *answer)
{
    char text[512];
    self->state = PROCESS_WATCHING;
    if (json_member_text(answer, "state", text, sizeof text) && strcmp(text, "detached") == 0)
        self->state = PROCESS_DETACHED;
    self->commands = PROCESS_COMMANDS_UNKNOWN;
    if (json_member_text(answer, "commands", text, sizeof text))
        self->commands =
            strcmp(text, "added") == 0 ? PROCESS_COMMANDS_ADDED : PROCESS_COMMANDS_MISSING;
    take(answer, "program", self->program, sizeof self->program);
    take(answer, "tango_host", self->tango_host, sizeof self->tango_host);
    take(answer, "tango_version", self->tango_version, sizeof self->tango_version);
    if (json_member_text(answer, "admin_device", text, sizeof text) &&
        begins_with(text, "dserver/")) {
        self->is_server = true;
        copy(self->server, sizeof self->server, text + strlen("dserver/"));
    }
}

void process_ask(process_t *self, double timeout_seconds)
{
    char error[256];
    char *answer = NULL;
    size_t size = 0;
    int connection = -1;
    if (self->agent == PROCESS_AGENT_NONE)
        return;
    const agent_socket_result_t result =
        agent_socket_connect(self->pid, timeout_seconds, &connection, error, sizeof error);
    if (result == AGENT_SOCKET_NO_AGENT)
        self->state = PROCESS_ASLEEP;
    if (result != AGENT_SOCKET_OK)
        return;
    if (agent_socket_ask(connection, "Identify", timeout_seconds, &answer, &size, error,
                         sizeof error) == AGENT_SOCKET_OK)
        take_identity(self, answer);
    free(answer);
    close(connection);
}
void process_ask_within(process_t *self, double timeout_seconds, double *left)
{
    static const double least_s = 0.05; /* enough for one that doesn't hang */
    const double began = seconds_now();
    double timeout = *left < timeout_seconds ? *left : timeout_seconds;
    process_ask(self, timeout > least_s ? timeout : least_s);
    *left -= seconds_now() - began;
}
