#include "fake_servers.h"

#include <fnmatch.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"

enum { SERVERS_MAX = 16, PATIENCE_S = 20 };

struct fake_server {
    const char *device;
    const char *admin;
    const char *identity;
    bool hangs[FAKE_STEPS];
    tango_error_kind_t fails[FAKE_STEPS];
    int begun[FAKE_STEPS];
    int done[FAKE_STEPS];
    tango_event_commands_t commands;
    int commandless; /* times that it is still without commands */
    const char *answer;
    int pid;
    bool perf;
    char last_call[64];
};

struct tango_device {
    fake_server_t *server;
    int pid; /* of the process that it is connected to */
};

static struct {
    pthread_mutex_t lock; /* of all that is in a server */
    pthread_cond_t changed;
    fake_server_t servers[SERVERS_MAX];
    size_t count;
    fake_server_t database;
} world = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---- what tests call ---- */

void fake_servers_clear(void)
{
    pthread_mutex_lock(&world.lock);
    memset(world.servers, 0, sizeof world.servers);
    world.count = 0;
    world.database = (fake_server_t){0};
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.lock);
}

fake_server_t *fake_server_new(const char *device, const char *admin)
{
    pthread_mutex_lock(&world.lock);
    if (world.count == SERVERS_MAX)
        abort();
    fake_server_t *self = &world.servers[world.count++];
    self->device = device;
    self->admin = self->identity = admin;
    self->pid = 1000 * (int)world.count;
    self->commands = (tango_event_commands_t){.query_event_agent = true, .start_and_stop = true};
    pthread_mutex_unlock(&world.lock);
    return self;
}

fake_server_t *fake_database(void)
{
    return &world.database;
}

void fake_server_hang(fake_server_t *self, fake_step_t step, bool hangs)
{
    pthread_mutex_lock(&world.lock);
    self->hangs[step] = hangs;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.lock);
}

void fake_server_fail(fake_server_t *self, fake_step_t step, tango_error_kind_t kind)
{
    pthread_mutex_lock(&world.lock);
    self->fails[step] = kind;
    pthread_mutex_unlock(&world.lock);
}

void fake_server_set_commands(fake_server_t *self, tango_event_commands_t commands)
{
    pthread_mutex_lock(&world.lock);
    self->commands = commands;
    pthread_mutex_unlock(&world.lock);
}

void fake_server_start_slowly(fake_server_t *self, int times)
{
    pthread_mutex_lock(&world.lock);
    self->commandless = times;
    pthread_mutex_unlock(&world.lock);
}

void fake_server_set_answer(fake_server_t *self, const char *text)
{
    pthread_mutex_lock(&world.lock);
    self->answer = text;
    pthread_mutex_unlock(&world.lock);
}

void fake_server_set_identity(fake_server_t *self, const char *identity)
{
    pthread_mutex_lock(&world.lock);
    self->identity = identity;
    pthread_mutex_unlock(&world.lock);
}

void fake_server_restart(fake_server_t *self)
{
    pthread_mutex_lock(&world.lock);
    self->pid++;
    self->perf = false;
    pthread_mutex_unlock(&world.lock);
}

void fake_server_set_perf(fake_server_t *self, bool on)
{
    pthread_mutex_lock(&world.lock);
    self->perf = on;
    pthread_mutex_unlock(&world.lock);
}

bool fake_server_has_perf(fake_server_t *self)
{
    pthread_mutex_lock(&world.lock);
    const bool perf = self->perf;
    pthread_mutex_unlock(&world.lock);
    return perf;
}

int fake_server_begun(fake_server_t *self, fake_step_t step)
{
    pthread_mutex_lock(&world.lock);
    const int begun = self->begun[step];
    pthread_mutex_unlock(&world.lock);
    return begun;
}

static void wait_for(const int *count, int at_least)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&world.lock);
    while (*count < at_least)
        if (pthread_cond_timedwait(&world.changed, &world.lock, &deadline) != 0) {
            fputs("fake_servers: waited in vain\n", stderr);
            abort();
        }
    pthread_mutex_unlock(&world.lock);
}

void fake_server_wait_begun(fake_server_t *self, fake_step_t step, int count)
{
    wait_for(&self->begun[step], count);
}

void fake_server_wait_done(fake_server_t *self, fake_step_t step, int count)
{
    wait_for(&self->done[step], count);
}

const char *fake_server_last_call(const fake_server_t *self)
{
    return self->last_call;
}

/* ---- tango_client.h ---- */

/* Locked. False: it fails. */
static bool take_step(fake_server_t *self, fake_step_t step, tango_error_t *error)
{
    self->begun[step]++;
    pthread_cond_broadcast(&world.changed);
    while (self->hangs[step])
        pthread_cond_wait(&world.changed, &world.lock);
    self->done[step]++;
    pthread_cond_broadcast(&world.changed);
    *error = (tango_error_t){.kind = self->fails[step]};
    if (error->kind != TANGO_ERROR_NONE)
        error->text = memory_string("it fails as it was told");
    return error->kind == TANGO_ERROR_NONE;
}

/* Locked. A device of a process that is no longer there fails once, and is connected again. */
static bool take_step_of_device(tango_device_t *self, fake_step_t step, tango_error_t *error)
{
    if (!take_step(self->server, step, error))
        return false;
    if (self->pid == self->server->pid)
        return true;
    self->pid = self->server->pid;
    *error = (tango_error_t){TANGO_ERROR_NOT_RUNNING, memory_string("the connection was lost")};
    return false;
}

/* Locked. The server of a device or of an admin device. */
static fake_server_t *find(const char *name)
{
    for (size_t i = 0; i < world.count; i++)
        if (strcmp(world.servers[i].device, name) == 0)
            return &world.servers[i];
    for (size_t i = 0; i < world.count; i++)
        if (strcmp(world.servers[i].admin, name) == 0)
            return &world.servers[i];
    return NULL;
}

static bool find_admin(const char *name, tango_admin_t *admin, tango_error_t *error)
{
    fake_server_t *server = find(name);
    if (!server) {
        *error = (tango_error_t){TANGO_ERROR_NO_DEVICE, memory_string("no such device")};
        return false;
    }
    if (!take_step(server, FAKE_FIND, error))
        return false;
    admin->name = memory_string(server->admin);
    admin->identity = memory_string(server->identity);
    return true;
}

bool tango_client_find_admin(const char *name, tango_admin_t *admin, tango_device_t **device,
                             tango_error_t *error)
{
    *device = NULL;
    pthread_mutex_lock(&world.lock);
    const bool found = find_admin(name, admin, error);
    pthread_mutex_unlock(&world.lock);
    return found;
}

bool tango_client_name_admin(const char *host, bool has_database, const char *path,
                             tango_admin_t *admin, tango_error_t *error)
{
    (void)error;
    admin->name = memory_format("tango://%s/%s%s", host, path, has_database ? "" : "#dbase=no");
    admin->identity = memory_string(admin->name);
    return true;
}

tango_device_t *tango_device_new(const char *name, tango_error_t *error)
{
    tango_device_t *self = NULL;
    pthread_mutex_lock(&world.lock);
    fake_server_t *server = find(name);
    if (server && take_step(server, FAKE_CONNECT, error)) {
        self = memory_new(1, sizeof *self);
        *self = (tango_device_t){server, server->pid};
    }
    pthread_mutex_unlock(&world.lock);
    return self;
}

bool tango_device_check_events(const char *device, const char *attribute, const char *event_type,
                               tango_events_t *events, tango_error_t *error)
{
    *events = strcmp(attribute, "nosuch") == 0        ? TANGO_EVENTS_NO_ATTRIBUTE
              : strcmp(event_type, "data_ready") == 0 ? TANGO_EVENTS_NOT_BY_CODE
                                                      : TANGO_EVENTS_POSSIBLE;
    return tango_device_ping(device, error);
}

bool tango_device_ping(const char *name, tango_error_t *error)
{
    pthread_mutex_lock(&world.lock);
    fake_server_t *server = find(name);
    *error = (tango_error_t){TANGO_ERROR_NO_DEVICE, NULL};
    const bool answers = server && take_step(server, FAKE_PING, error);
    pthread_mutex_unlock(&world.lock);
    return answers;
}

void tango_device_destroy(tango_device_t **self)
{
    free(*self);
    *self = NULL;
}

bool tango_device_event_commands(tango_device_t *self, tango_event_commands_t *commands,
                                 tango_error_t *error)
{
    pthread_mutex_lock(&world.lock);
    fake_server_t *server = self->server;
    const bool done = take_step_of_device(self, FAKE_COMMANDS, error);
    if (done) {
        *commands = server->commandless > 0 ? (tango_event_commands_t){0} : server->commands;
        server->commandless -= server->commandless > 0;
    }
    pthread_mutex_unlock(&world.lock);
    return done;
}

/* Locked. Whether the server has a command; otherwise that is the error. */
static bool has_command(const fake_server_t *self, const char *command, tango_error_t *error)
{
    const tango_event_commands_t *commands = &self->commands;
    const bool has = strcmp(command, "QueryEventAgent") == 0    ? commands->query_event_agent
                     : strcmp(command, "QueryEventSystem") == 0 ? commands->query_event_system
                     : strcmp(command, "EnableEventSystemPerfMon") == 0 ? commands->enable
                                                                        : commands->start_and_stop;
    if (!has)
        *error = (tango_error_t){TANGO_ERROR_NO_COMMAND, memory_string("no such command")};
    return has;
}

char *tango_device_call_string(tango_device_t *self, const char *command, size_t *size,
                               tango_error_t *error)
{
    char *text = NULL;
    pthread_mutex_lock(&world.lock);
    fake_server_t *server = self->server;
    snprintf(server->last_call, sizeof server->last_call, "%s", command);
    if (take_step_of_device(self, FAKE_QUERY, error) && has_command(server, command, error)) {
        text = server->answer
                   ? memory_string(server->answer)
                   : memory_format("{\"version\": 1, \"agent\": {\"pid\": %d}, \"server\": "
                                   "{\"event_counters\": {}, \"perf\": %s}, \"client\": null}",
                                   server->pid, server->perf ? "[]" : "null");
        *size = strlen(text);
    }
    pthread_mutex_unlock(&world.lock);
    return text;
}

/* argument: as it is to be remembered. */
static bool switch_perf(tango_device_t *self, const char *command, const char *argument, bool on,
                        tango_error_t *error)
{
    pthread_mutex_lock(&world.lock);
    fake_server_t *server = self->server;
    snprintf(server->last_call, sizeof server->last_call, "%s%s", command, argument);
    const bool done =
        take_step_of_device(self, FAKE_SWITCH, error) && has_command(server, command, error);
    if (done)
        server->perf = on;
    pthread_mutex_unlock(&world.lock);
    return done;
}

bool tango_device_call(tango_device_t *self, const char *command, tango_error_t *error)
{
    return switch_perf(self, command, "", strcmp(command, "StartEventSystemPerfMon") == 0, error);
}

bool tango_device_call_boolean(tango_device_t *self, const char *command, bool argument,
                               tango_error_t *error)
{
    return switch_perf(self, command, argument ? "(true)" : "(false)", argument, error);
}

/* As the database does: ignoring case, and with the prefix of a pattern. */
bool tango_client_match(const char *pattern, tango_match_t **matches, size_t *count,
                        tango_error_t *error)
{
    const char *path = strstr(pattern, "://");
    path = path ? strchr(path + 3, '/') + 1 : pattern;
    const int before = (int)(path - pattern);
    *matches = NULL;
    *count = 0;
    pthread_mutex_lock(&world.lock);
    const bool done = take_step(&world.database, FAKE_MATCH, error);
    for (size_t i = 0; done && i < world.count; i++) {
        const fake_server_t *server = &world.servers[i];
        const bool is_admin = fnmatch(path, server->admin, FNM_CASEFOLD) == 0;
        if (!is_admin && fnmatch(path, server->device, FNM_CASEFOLD) != 0)
            continue;
        *matches = memory_resize(*matches, *count + 1, sizeof **matches);
        (*matches)[(*count)++] = (tango_match_t){
            memory_format("%.*s%s", before, pattern, is_admin ? server->admin : server->device),
            memory_format("%.*s%s", before, pattern, server->admin)};
    }
    pthread_mutex_unlock(&world.lock);
    return done;
}

void tango_matches_destroy(tango_match_t **self, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((*self)[i].device);
        free((*self)[i].admin);
    }
    free(*self);
    *self = NULL;
}

void tango_admin_clear(tango_admin_t *admin)
{
    free(admin->name);
    free(admin->identity);
    *admin = (tango_admin_t){0};
}

void tango_error_clear(tango_error_t *error)
{
    free(error->text);
    *error = (tango_error_t){0};
}

const char *tango_error_advice(tango_error_kind_t kind)
{
    return kind == TANGO_ERROR_NO_DEVICE ? ": check the name" : "";
}
