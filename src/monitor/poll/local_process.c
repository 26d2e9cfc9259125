#include "monitor/poll/local_process.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/json_text.h"
#include "base/memory.h"
#include "base/monotonic.h"
#include "base/printable.h"
#include "base/reasons.h"

static const char pid_begin[] = "pid:";
static const char client_begin[] = "client:";

/* Tango's own limit for a device is 255 characters. */
enum { NAME_MAXIMUM = 300, ERROR_SIZE = 256 };

/* An agent that has a queue of others to let in first isn't waited for when all are asked, one
 * after the other: there may be many, on purpose. */
#define CONNECT_SECONDS 0.02

/* ---- names ---- */

static bool begins_with(const char *text, const char *begin)
{
    return strncasecmp(text, begin, strlen(begin)) == 0;
}

bool local_name_is(const char *name)
{
    return begins_with(name, pid_begin) || begins_with(name, client_begin);
}

/* 0: it is none. */
static pid_t read_pid(const char *text)
{
    const size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits < 10 && text[digits] == '\0' ? (pid_t)strtol(text, NULL, 10) : 0;
}

bool local_name_parse(const char *name, local_name_t *parsed)
{
    *parsed = (local_name_t){0};
    if (begins_with(name, pid_begin)) {
        parsed->pid = read_pid(name + sizeof pid_begin - 1);
        return parsed->pid > 0;
    }
    if (!begins_with(name, client_begin) || name[sizeof client_begin - 1] == '\0')
        return false;
    const char *program = name + sizeof client_begin - 1;
    const char *colon = strrchr(program, ':');
    parsed->pid = colon && colon > program ? read_pid(colon + 1) : 0;
    parsed->program =
        memory_copy(program, parsed->pid > 0 ? (size_t)(colon - program) : strlen(program));
    return true;
}

void local_name_clear(local_name_t *self)
{
    free(self->program);
    *self = (local_name_t){0};
}

char *local_process_client_name(const local_process_t *self, bool with_pid)
{
    if (with_pid)
        return memory_format("%s%s:%ld", client_begin, self->program, (long)self->pid);
    return memory_format("%s%s", client_begin, self->program);
}

/* ---- what an agent says ---- */

/* What is being read: the members of the object, not what is in them. */
typedef struct {
    local_process_t *process;
    int depth;
    char key[32];
} reading_t;

static int open_bracket(void *context)
{
    ((reading_t *)context)->depth++;
    return 1;
}

static int close_bracket(void *context)
{
    ((reading_t *)context)->depth--;
    return 1;
}

static int read_key(void *context, const unsigned char *key, size_t size)
{
    reading_t *self = context;
    const size_t length = size < sizeof self->key ? size : 0;
    memcpy(self->key, key, length);
    self->key[length < sizeof self->key ? length : 0] = '\0';
    return 1;
}

static int read_text(void *context, const unsigned char *text, size_t size)
{
    static const char detached[] = "detached";
    reading_t *self = context;
    local_process_t *process = self->process;
    if (self->depth == 1 && strcmp(self->key, "state") == 0)
        process->is_detached =
            size == sizeof detached - 1 && memcmp(text, detached, sizeof detached - 1) == 0;
    char **member = self->depth != 1                         ? NULL
                    : strcmp(self->key, "program") == 0      ? &process->program
                    : strcmp(self->key, "admin_device") == 0 ? &process->admin
                    : strcmp(self->key, "tango_host") == 0   ? &process->tango_host
                                                             : NULL;
    if (!member || size == 0 || size > NAME_MAXIMUM)
        return 1;
    char *copy = memory_copy((const char *)text, size);
    free(*member);
    *member = printable_copy(copy, true);
    free(copy);
    return 1;
}

/* Everything in it is the process's own: it may be anything. */
static bool read_identity(local_process_t *process, const char *answer, size_t size)
{
    static const yajl_callbacks callbacks = {
        .yajl_string = read_text,
        .yajl_start_map = open_bracket,
        .yajl_map_key = read_key,
        .yajl_end_map = close_bracket,
        .yajl_start_array = open_bracket,
        .yajl_end_array = close_bracket,
    };
    reading_t reading = {.process = process};
    const char *stopped = NULL;
    char *wrong = json_text_parse(&callbacks, &reading, &stopped, answer, size);
    process->answers = !wrong && process->program;
    if (process->admin && !begins_with(process->admin, "dserver/")) {
        free(process->admin);
        process->admin = NULL;
    }
    free(wrong);
    return process->answers;
}

/* ---- requests ---- */

static tango_error_kind_t kind_of(agent_socket_result_t result)
{
    switch (result) {
    case AGENT_SOCKET_OK:
        return TANGO_ERROR_NONE;
    case AGENT_SOCKET_NO_PROCESS:
        return TANGO_ERROR_NOT_RUNNING;
    case AGENT_SOCKET_NO_AGENT:
        return TANGO_ERROR_NO_COMMAND;
    case AGENT_SOCKET_TIMEOUT:
        return TANGO_ERROR_TIMEOUT;
    case AGENT_SOCKET_FORBIDDEN:
    case AGENT_SOCKET_REFUSED:
    case AGENT_SOCKET_FAILED:
        break;
    }
    return TANGO_ERROR_OTHER;
}

static void set_error(tango_error_t *error, agent_socket_result_t result, pid_t pid,
                      double timeout_seconds, const char *text)
{
    tango_error_clear(error);
    error->kind = kind_of(result);
    if (result == AGENT_SOCKET_NO_PROCESS)
        error->text = memory_string(REASON_ENDED);
    else if (result == AGENT_SOCKET_NO_AGENT)
        error->text =
            memory_format(REASON_NO_AGENT ": ska-tango-event-agent attach %ld", (long)pid);
    else if (result == AGENT_SOCKET_TIMEOUT)
        error->text = memory_format("no answer within %g s", timeout_seconds);
    else
        error->text = printable_copy(text, true);
}

char *local_process_ask(pid_t pid, const char *request, double timeout_seconds, size_t *size,
                        tango_error_t *error)
{
    char text[ERROR_SIZE] = "";
    char *answer = NULL;
    int connection = -1;
    const double deadline = monotonic_seconds() + timeout_seconds;
    *size = 0;
    agent_socket_result_t result =
        agent_socket_connect(pid, timeout_seconds, &connection, text, sizeof text);
    if (result == AGENT_SOCKET_OK) {
        result = agent_socket_ask(connection, request, deadline - monotonic_seconds(), &answer,
                                  size, text, sizeof text);
        close(connection);
    }
    if (result != AGENT_SOCKET_OK)
        set_error(error, result, pid, timeout_seconds, text);
    return answer;
}

static local_process_t process_of(pid_t pid)
{
    return (local_process_t){
        .pid = pid,
        .began = agent_socket_began(pid),
        .user = agent_socket_user(pid),
    };
}

bool local_process_identify(pid_t pid, double timeout_seconds, local_process_t *process,
                            tango_error_t *error)
{
    size_t size = 0;
    *process = process_of(pid);
    char *answer = local_process_ask(pid, "Identify", timeout_seconds, &size, error);
    const bool good = answer && read_identity(process, answer, size);
    if (answer && !good) {
        tango_error_clear(error);
        error->kind = TANGO_ERROR_OTHER;
        error->text = memory_string("its agent doesn't say what it is");
    }
    free(answer);
    if (!good)
        local_process_clear(process);
    return good;
}

void local_process_clear(local_process_t *self)
{
    free(self->program);
    free(self->admin);
    free(self->tango_host);
    *self = (local_process_t){0};
}

/* Connects to a process, and asks it, if there is time left. False: it can't be asked. *connection
 * is -1 if it is busy. */
static bool begin_to_ask(const local_process_t *process, double left, int *connection)
{
    char text[ERROR_SIZE];
    *connection = -1;
    if (left <= 0)
        return true;
    const agent_socket_result_t result =
        agent_socket_connect(process->pid, left < CONNECT_SECONDS ? left : CONNECT_SECONDS,
                             connection, text, sizeof text);
    if (result == AGENT_SOCKET_OK)
        agent_socket_send(*connection, "Identify");
    return result == AGENT_SOCKET_OK || result == AGENT_SOCKET_TIMEOUT;
}

/* False: it isn't an agent that answers so. */
static bool take_identity(local_process_t *process, int connection, double left)
{
    char text[ERROR_SIZE];
    char *answer = NULL;
    size_t size = 0;
    /* It may have answered while others were waited for. */
    const agent_socket_result_t result = agent_socket_receive(
        connection, left > 0.001 ? left : 0.001, &answer, &size, text, sizeof text);
    const bool good = result == AGENT_SOCKET_TIMEOUT ||
                      (result == AGENT_SOCKET_OK && read_identity(process, answer, size));
    free(answer);
    close(connection);
    return good;
}

local_processes_t local_processes_find(double timeout_seconds, local_process_known_t *known,
                                       const void *context)
{
    local_processes_t self = {0};
    const double deadline = monotonic_seconds() + timeout_seconds;
    size_t count = 0;
    pid_t *pids = agent_socket_find(&count, &self.forbidden);
    self.items = memory_new(count + 1, sizeof *self.items);
    int *connections = memory_new(count + 1, sizeof *connections);
    for (size_t i = 0; i < count; i++) {
        local_process_t process = process_of(pids[i]);
        if (!(known && known(context, process.pid, process.began)) &&
            begin_to_ask(&process, deadline - monotonic_seconds(), &connections[self.count]))
            self.items[self.count++] = process;
    }
    size_t kept = 0;
    for (size_t i = 0; i < self.count; i++)
        if (connections[i] < 0 ||
            take_identity(&self.items[i], connections[i], deadline - monotonic_seconds()))
            self.items[kept++] = self.items[i];
        else
            local_process_clear(&self.items[i]);
    self.count = kept;
    free(connections);
    free(pids);
    return self;
}

void local_processes_clear(local_processes_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        local_process_clear(&self->items[i]);
    free(self->items);
    *self = (local_processes_t){0};
}
