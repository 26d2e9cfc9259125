#include "monitor/poll/link.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/monotonic.h"
#include "base/reasons.h"
#include "monitor/poll/local_process.h"
#include "response/names.h"
#include "response/response.h"

/* What an agent answers whose process is ending (entry/service.c). */
#define ENDING "the process is ending"

/* What is left of the time for the others while a process is looked for. */
#define SEARCH_SHARE 4

struct link {
    char *given;
    double timeout; /* seconds */
    bool is_local;  /* the agent's socket of a process */

    tango_device_t *device;

    local_name_t wanted;
    bool is_by_name;          /* whichever process has that name */
    bool is_found;            /* by --local */
    pid_t pid;                /* the process; 0: none yet, or it has ended and may return */
    unsigned long long began; /* and when it began */
    uid_t user;               /* whose it was, once program is known */
    char *program;            /* what to look for; admin: of a server */
    char *admin;
};

link_t *link_new(const target_t *target, double timeout)
{
    link_t *self = memory_new(1, sizeof *self);
    self->given = memory_string(target->name);
    self->timeout = timeout;
    self->is_local = local_name_is(target->name);
    if (!self->is_local)
        return self;
    (void)local_name_parse(target->name, &self->wanted);
    if (target->pid > 0)
        self->wanted.pid = target->pid;
    self->is_by_name = self->wanted.pid == 0;
    self->is_found = target->is_local;
    return self;
}

void link_destroy(link_t **pointer)
{
    link_t *self = *pointer;
    *pointer = NULL;
    if (!self)
        return;
    tango_device_destroy(&self->device);
    local_name_clear(&self->wanted);
    free(self->program);
    free(self->admin);
    free(self->given);
    free(self);
}

bool link_asks_database(const link_t *self)
{
    return !self->is_local;
}

bool link_is_connected(const link_t *self)
{
    return self->is_local ? self->program != NULL : self->device != NULL;
}

pid_t link_process(const link_t *self)
{
    return self->pid;
}

static bool fail(tango_error_t *error, tango_error_kind_t kind, char *text)
{
    tango_error_clear(error);
    *error = (tango_error_t){kind, text};
    return false;
}

/* ---- which process ---- */

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcasecmp(a, b) == 0);
}

static bool is_what_is_wanted(const link_t *self, const local_process_t *process)
{
    /* Any user's process may say that it is the one that has ended. */
    if (!process->answers || (self->program && process->user != self->user))
        return false;
    if (self->admin)
        return is_same_text(process->admin, self->admin);
    const char *program = self->wanted.program ? self->wanted.program : self->program;
    return program && strcmp(process->program, program) == 0;
}

/*
 * All processes, for every worker whose process has ended, and who looks for it at each poll:
 * asking all agents for each of them would be more than they and we can do. So those that ask while
 * one searches share the next search.
 */
static pthread_mutex_t search_lock = PTHREAD_MUTEX_INITIALIZER;
static local_processes_t searched;
static double search_began;

/* Locked. asked: when it was asked for; a search that began later serves as well. */
static void search(double asked, double timeout)
{
    if (search_began > asked)
        return;
    search_began = monotonic_seconds();
    local_processes_clear(&searched);
    searched = local_processes_find(timeout, NULL, NULL);
}

/* The one that began last: an older one of two may be ending. False: there is none. */
static bool look_for(const link_t *self, local_process_t *process)
{
    const local_process_t *found = NULL;
    const double asked = monotonic_seconds();
    pthread_mutex_lock(&search_lock);
    search(asked, self->timeout / SEARCH_SHARE);
    for (size_t i = 0; i < searched.count; i++) {
        const local_process_t *one = &searched.items[i];
        if (is_what_is_wanted(self, one) && agent_socket_began(one->pid) == one->began &&
            (!found || one->began > found->began))
            found = one;
    }
    if (found) {
        *process = *found;
        process->program = memory_string(found->program);
        process->admin = memory_string(found->admin);
        process->tango_host = memory_string(found->tango_host);
    }
    pthread_mutex_unlock(&search_lock);
    return found != NULL;
}

/* A process that was named by its number. */
static bool identify(link_t *self, local_process_t *process, tango_error_t *error)
{
    const pid_t pid = self->wanted.pid;
    if (agent_socket_began(pid) == 0)
        return fail(error, TANGO_ERROR_NOT_RUNNING,
                    memory_string(self->is_found
                                      ? REASON_ENDED
                                      : "no such process: ska-tango-event-agent list shows those "
                                        "that use Tango"));
    if (!local_process_identify(pid, self->timeout, process, error))
        return false;
    /* The name of one that was found was made of its program, which may end with ":1234" itself. */
    if (self->is_found || !self->wanted.program ||
        strcmp(process->program, self->wanted.program) == 0)
        return true;
    fail(error, TANGO_ERROR_NOT_RUNNING,
         memory_format("process %ld runs another program: %s", (long)pid, process->program));
    local_process_clear(process);
    return false;
}

static void bind_to(link_t *self, const local_process_t *process)
{
    self->pid = process->pid;
    self->began = process->began;
    if (!self->program) {
        self->program = memory_string(process->program);
        self->admin = memory_string(process->admin);
        self->user = process->user;
    }
}

/* Makes sure that the process is the one that it was, or else the one that has taken its place. */
static bool check_process(link_t *self, tango_error_t *error)
{
    if (self->pid > 0 && agent_socket_began(self->pid) == self->began)
        return true;
    local_process_t process;
    /* A client of --local that comes back is found as a new one. */
    if (!self->is_by_name && !(self->is_found && self->admin))
        return fail(error, TANGO_ERROR_NOT_RUNNING, memory_string(REASON_ENDED));
    self->pid = 0;
    if (!look_for(self, &process))
        return fail(error, TANGO_ERROR_NOT_RUNNING,
                    memory_string(self->admin ? REASON_ENDED : REASON_NO_CLIENT));
    bind_to(self, &process);
    local_process_clear(&process);
    return true;
}

/* ---- what it is called ---- */

/*
 * "host:port" of a server's streams, which are named after it or its database; *has_database says
 * after which. NULL: it has none yet. The caller frees it.
 */
static char *host_of_streams(const link_t *self, bool *has_database)
{
    tango_error_t error = {0};
    size_t size = 0;
    char *wrong = NULL;
    char *host = NULL;
    char *answer = local_process_ask(self->pid, "QueryEventAgent", self->timeout, &size, &error);
    response_t *response = answer ? response_parse(answer, size, &wrong) : NULL;
    const char *stream =
        response && response->publisher_count > 0 ? response->publishers[0].name : "";
    const size_t length = names_prefix_length(stream);
    if (length > 0) {
        static const size_t scheme = sizeof "tango://" - 1;
        host = memory_copy(stream + scheme, length - scheme - 1);
        *has_database = !strstr(stream, "#dbase=no");
    }
    response_destroy(&response);
    tango_error_clear(&error);
    free(wrong);
    free(answer);
    return host;
}

static bool name_server(const link_t *self, const local_process_t *process, tango_admin_t *admin,
                        tango_error_t *error)
{
    bool has_database = true; /* what it was started with, its streams say */
    char *streams = host_of_streams(self, &has_database);
    const char *host = has_database && process->tango_host ? process->tango_host : streams;
    bool named = true;
    if (host) {
        named = tango_client_name_admin(host, has_database, process->admin, admin, error);
    } else {
        admin->name = memory_string(process->admin);
        admin->identity = memory_format("process %ld %llu", (long)process->pid, process->began);
    }
    free(streams);
    return named;
}

static void name_client(const link_t *self, const local_process_t *process, tango_admin_t *admin)
{
    /* "client:NAME" remains so, whichever process that is. */
    admin->name = self->wanted.program ? memory_string(self->given)
                                       : local_process_client_name(process, true);
    admin->identity = memory_format("process %ld %llu", (long)process->pid, process->began);
}

/* A process's identity is asked for only once: it is what it is. */
static bool find_process(link_t *self, tango_admin_t *admin, tango_error_t *error)
{
    local_process_t process;
    if (self->wanted.pid > 0) {
        if (!identify(self, &process, error))
            return false;
    } else if (!look_for(self, &process)) {
        return fail(error, TANGO_ERROR_NOT_RUNNING, memory_string(REASON_NO_CLIENT));
    }
    bind_to(self, &process);
    bool named = true;
    if (process.admin)
        named = name_server(self, &process, admin, error);
    else
        name_client(self, &process, admin);
    local_process_clear(&process);
    return named;
}

/* ---- for the worker ---- */

bool link_connect(link_t *self, tango_admin_t *admin, tango_error_t *error)
{
    if (self->is_local)
        return admin->name || find_process(self, admin, error);
    if (!admin->name && !tango_client_find_admin(self->given, admin, &self->device, error))
        return false;
    if (!self->device)
        self->device = tango_device_new(admin->name, error);
    return self->device != NULL;
}

bool link_event_commands(link_t *self, tango_event_commands_t *commands, tango_error_t *error)
{
    if (!self->is_local)
        return tango_device_event_commands(self->device, commands, error);
    /* Its agent has always all of them; the query says whether it is there. */
    *commands = (tango_event_commands_t){.query_event_agent = true, .start_and_stop = true};
    return check_process(self, error);
}

/* NULL on failure. The caller frees it. */
static char *ask(link_t *self, const char *request, size_t *size, tango_error_t *error)
{
    *size = 0;
    if (!check_process(self, error))
        return NULL;
    char *answer = local_process_ask(self->pid, request, self->timeout, size, error);
    /* It may have ended meanwhile, or be about to. */
    if (!answer && (agent_socket_began(self->pid) != self->began ||
                    (error->text && strcmp(error->text, ENDING) == 0)))
        fail(error, TANGO_ERROR_NOT_RUNNING, memory_string(REASON_ENDED));
    return answer;
}

char *link_call_string(link_t *self, const char *command, size_t *size, tango_error_t *error)
{
    return self->is_local ? ask(self, command, size, error)
                          : tango_device_call_string(self->device, command, size, error);
}

bool link_call(link_t *self, const char *command, tango_error_t *error)
{
    if (!self->is_local)
        return tango_device_call(self->device, command, error);
    size_t size = 0;
    char *answer = ask(self, command, &size, error);
    free(answer);
    return answer != NULL;
}

bool link_call_boolean(link_t *self, const char *command, bool argument, tango_error_t *error)
{
    if (!self->is_local)
        return tango_device_call_boolean(self->device, command, argument, error);
    char *request = memory_format("%s %s", command, argument ? "true" : "false");
    const bool called = link_call(self, request, error);
    free(request);
    return called;
}
