#include "agent/answer/commands.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/answer/identity.h"
#include "agent/counts/counts.h"
#include "agent/platform/clocks.h"
#include "agent/platform/leaving.h"
#include "agent/platform/log.h"
#include "agent/platform/process_start.h"
#include "agent/tango/command_gate.h"
#include "agent/tango/commands_abi.h"
#include "agent/tango/libtango.h"

static const elf_image_t *libtango;
static answer_origin_t origin;
static answer_schema_t schema;

void commands_init(const elf_image_t *the_libtango, answer_schema_t the_schema, int64_t attached_ns,
                   bool is_late)
{
    libtango = the_libtango;
    schema = the_schema;
    origin.attached_ns = attached_ns;
    if (origin.process_ns == CLOCK_NEVER)
        origin.process_ns = process_start_ns();
    origin.is_late = is_late;
    libtango_version(libtango, origin.tango_version, sizeof origin.tango_version);
}

/* ---- what they do ---- */

/* Each query command has its own place in the samples, so that two clients that use different
 * commands don't take them from each other. This lock is between clients of the same command; no
 * event ever waits for it. */
static pthread_mutex_t query_mutex = PTHREAD_MUTEX_INITIALIZER;
static samples_reader_t system_reader;
static samples_reader_t agent_reader;

static bool is_detached(void)
{
    pthread_mutex_lock(&query_mutex);
    bool detached = origin.is_detached;
    pthread_mutex_unlock(&query_mutex);
    return detached;
}

static char *query(samples_reader_t *reader, answer_schema_t in_schema)
{
    pthread_mutex_lock(&query_mutex);
    char *answer =
        origin.is_detached ? strdup("") : answer_query(&agent_counts, reader, in_schema, &origin);
    pthread_mutex_unlock(&query_mutex);
    return answer;
}

static char *query_event_system(bool unused)
{
    (void)unused;
    return query(&system_reader, schema);
}

static char *query_event_agent(bool unused)
{
    (void)unused;
    return query(&agent_reader, ANSWER_VERSION_1);
}

static char *start_perf_mon(bool unused)
{
    (void)unused;
    samples_enable(&agent_counts.samples, true);
    return NULL;
}

static char *stop_perf_mon(bool unused)
{
    (void)unused;
    samples_enable(&agent_counts.samples, false);
    return NULL;
}

static char *enable_perf_mon(bool enable)
{
    samples_enable(&agent_counts.samples, enable);
    return NULL;
}

#define QUERY_DESCRIPTION                                                                          \
    "JSON object: the events that this server has published and received, its event channels, "    \
    "and "                                                                                         \
    "the performance samples since the last query"

/* The first is left out if Tango has it built in. */
static const tango_command_t commands[] = {
    {"QueryEventSystem", TANGO_DEV_VOID, "", TANGO_DEV_STRING, QUERY_DESCRIPTION,
     query_event_system},
    {"QueryEventAgent", TANGO_DEV_VOID, "", TANGO_DEV_STRING,
     QUERY_DESCRIPTION "; as counted by ska-tango-event-agent", query_event_agent},
    {"StartEventSystemPerfMon", TANGO_DEV_VOID, "", TANGO_DEV_VOID,
     "Starts sampling how long events take (the newest 256 are kept)", start_perf_mon},
    {"StopEventSystemPerfMon", TANGO_DEV_VOID, "", TANGO_DEV_VOID,
     "Stops sampling how long events take", stop_perf_mon},
    {"EnableEventSystemPerfMon", TANGO_DEV_BOOLEAN,
     "true: sample how long events take (the newest 256 are kept); false: stop sampling",
     TANGO_DEV_VOID, "", enable_perf_mon},
};

/* For those that take none, an argument doesn't matter. False if it is neither true nor false. */
static bool take_argument(const tango_command_t *command, const char *text, bool *argument)
{
    *argument = strcasecmp(text, "true") == 0;
    return command->in_type != TANGO_DEV_BOOLEAN || *argument || strcasecmp(text, "false") == 0;
}

char *commands_run(const char *name, const char *argument, const char **error)
{
    *error = "the agent is detached";
    if (is_detached())
        return NULL;
    *error = "unknown command";
    for (size_t i = 0; libtango && i < sizeof commands / sizeof *commands; i++) {
        const tango_command_t *command = &commands[i];
        if (strcmp(command->name, name) != 0)
            continue;
        bool enable = false;
        *error = "the argument must be true or false";
        if (!take_argument(command, argument, &enable))
            return NULL;
        char *answer = command->action(enable);
        *error = "out of memory";
        return answer || command->out_type == TANGO_DEV_STRING ? answer : strdup("");
    }
    return NULL;
}

char *commands_identify(void)
{
    pthread_mutex_lock(&query_mutex);
    answer_origin_t now = origin;
    pthread_mutex_unlock(&query_mutex);
    return identity_text(libtango, &now, commands_are_pending());
}

/* ---- adding and removing them ---- */

static libtango_command_handler_t *original_command_handler;
static pthread_mutex_t change_mutex = PTHREAD_MUTEX_INITIALIZER;
static bool wanted;
static _Atomic bool pending; /* they aren't as wanted yet */

static tango_addition_t change_commands(bool device_is_held)
{
    size_t skip = libtango_has_query_event_system(libtango) ? 1 : 0;
    size_t count = sizeof commands / sizeof *commands - skip;
    if (!wanted)
        return commands_abi_remove(commands + skip, count, device_is_held);
    tango_addition_t result = commands_abi_add(libtango, commands + skip, count, device_is_held);
    if (result == TANGO_ADDED)
        log_line(LOG_INFO, "attached to Tango %s (%s)", origin.tango_version, libtango->path);
    return result;
}

/* Where somebody may read the list of commands for ever (a thread that waits for a disk), not every
 * client is to wait for that. */
static const int64_t again_ns = 2000000000;

/*
 * The thread that comes here holds the admin device's monitor, so commands can be added without
 * waiting for that. (A thread of ours that waited for longer than Tango's 3.2 s would delay the
 * server's end.)
 */
static void *hook_command_handler(void *device_class, void *device, void *command, void *argument)
{
    static int64_t not_before_ns;
    if (atomic_load_explicit(&pending, memory_order_acquire) &&
        commands_abi_is_admin_device(device) && pthread_mutex_trylock(&change_mutex) == 0) {
        if (atomic_load(&pending) && clock_monotonic_ns() >= not_before_ns) {
            tango_addition_t result = change_commands(true);
            not_before_ns = clock_monotonic_ns() + again_ns;
            atomic_store(&pending, result == TANGO_BUSY || result == TANGO_NO_DEVICE);
        }
        pthread_mutex_unlock(&change_mutex);
    }
    return original_command_handler(device_class, device, command, argument);
}

/* A server begins to end: it deletes its devices, the admin device at last, while a thread of ours
 * may be adding commands to that, which is waited for. */
static libtango_shutdown_t *original_shutdown;

static void hook_shutdown(void *util)
{
    leaving_begins();
    original_shutdown(util);
}

static const libtango_hook_t shutdown_hook = {
    .symbol = LIBTANGO_SHUTDOWN,
    .replacement = (void *)hook_shutdown,
    .original = (void **)&original_shutdown,
};

static const libtango_hook_t command_handler_hook = {
    .symbol = LIBTANGO_COMMAND_HANDLER,
    .replacement = (void *)hook_command_handler,
    .original = (void **)&original_command_handler,
};

/* If the admin device is busy for longer than Tango waits for it, or isn't there yet, the rest is
 * done with the next command that it executes. */
static void change(void)
{
    tango_addition_t result = change_commands(false);
    atomic_store(&pending, result == TANGO_BUSY || result == TANGO_NO_DEVICE);
    if (!atomic_load(&pending))
        return;
    bool hooked = libtango_hook(libtango, &command_handler_hook, 1) > 0 || original_command_handler;
    static bool said;
    if (result == TANGO_NO_DEVICE && !said)
        log_line(LOG_INFO, "no admin device yet; it gets the agent's commands once it is there");
    said = true;
    if (result == TANGO_NO_DEVICE)
        return;
    if (hooked && wanted)
        log_line(LOG_INFO, "the admin device is busy; the agent's commands are added with the next "
                           "command that it executes");
    else if (!hooked && wanted)
        log_line(LOG_ERROR, "the admin device is busy, and the agent's commands can't be added "
                            "later; they are missing until the server is restarted");
}

/* Locked. */
static void watch_end(void)
{
    leaving_prepare();
    if (libtango && !original_shutdown)
        libtango_hook(libtango, &shutdown_hook, 1);
}

void commands_watch_end(void)
{
    pthread_mutex_lock(&change_mutex);
    watch_end();
    pthread_mutex_unlock(&change_mutex);
}

/* They are there, unless the agent is detached. That is looked up here, so that no thread which
 * began before it was detached adds them after that. */
static void settle(void)
{
    static bool settled;
    pthread_mutex_lock(&change_mutex);
    const bool whether = !is_detached();
    watch_end();
    if ((!settled || wanted != whether || atomic_load(&pending)) && leaving_not_yet()) {
        settled = true;
        wanted = whether;
        change();
        leaving_done();
    }
    pthread_mutex_unlock(&change_mutex);
}

void commands_add(void)
{
    if (libtango)
        settle();
}

void commands_retry(void)
{
    if (commands_are_pending())
        settle();
}

bool commands_are_pending(void)
{
    return atomic_load(&pending);
}

static void set_detached(bool detached, int64_t attached_ns)
{
    pthread_mutex_lock(&query_mutex);
    origin.is_detached = detached;
    if (!detached) {
        origin.attached_ns = attached_ns;
        origin.is_late = true;
    }
    pthread_mutex_unlock(&query_mutex);
}

void commands_detach(void)
{
    set_detached(true, 0);
    if (libtango)
        settle();
}

void commands_attach_again(int64_t attached_ns)
{
    set_detached(false, attached_ns);
    commands_add();
}

void commands_forget(void)
{
    query_mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    change_mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    command_gate_forget();
    leaving_forget();
    identity_forget();
}
