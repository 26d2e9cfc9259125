#include "agent/answer/commands.h"

#include <pthread.h>
#include <stdatomic.h>

#include "agent/counts/counts.h"
#include "agent/platform/log.h"
#include "agent/tango/commands_abi.h"
#include "agent/tango/libtango.h"

static const elf_image_t *libtango;
static answer_origin_t origin;
static answer_schema_t schema;

void commands_init(const elf_image_t *the_libtango, answer_schema_t the_schema, int64_t attached_ns)
{
    libtango = the_libtango;
    schema = the_schema;
    origin.attached_ns = attached_ns;
    libtango_version(libtango, origin.tango_version, sizeof origin.tango_version);
}

/* ---- what they do ---- */

/* Each query command has its own place in the samples, so that two clients that use different
 * commands don't take them from each other. This lock is between clients of the same command; no
 * event ever waits for it. */
static pthread_mutex_t query_mutex = PTHREAD_MUTEX_INITIALIZER;
static samples_reader_t system_reader;
static samples_reader_t agent_reader;

static char *query(samples_reader_t *reader, answer_schema_t in_schema)
{
    pthread_mutex_lock(&query_mutex);
    char *answer = answer_query(&agent_counts, reader, in_schema, &origin);
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

/* ---- adding them ---- */

static tango_addition_t add_commands(bool device_is_held)
{
    size_t skip = libtango_has_query_event_system(libtango) ? 1 : 0;
    size_t count = sizeof commands / sizeof *commands - skip;
    tango_addition_t result = commands_abi_add(libtango, commands + skip, count, device_is_held);
    if (result == TANGO_ADDED)
        log_line(LOG_INFO, "attached to Tango %s (%s)", origin.tango_version, libtango->path);
    return result;
}

static libtango_command_handler_t *original_command_handler;
static _Atomic bool commands_pending;

/*
 * The thread that comes here holds the admin device's monitor, so commands can be added without
 * waiting: no thread of ours ever waits for it. (One that did would also delay the server's end.)
 */
static void *hook_command_handler(void *device_class, void *device, void *command, void *argument)
{
    static atomic_flag adding = ATOMIC_FLAG_INIT;
    if (atomic_load_explicit(&commands_pending, memory_order_acquire) &&
        commands_abi_is_admin_device(device) && !atomic_flag_test_and_set(&adding)) {
        if (atomic_load(&commands_pending))
            atomic_store(&commands_pending, add_commands(true) == TANGO_BUSY);
        atomic_flag_clear(&adding);
    }
    return original_command_handler(device_class, device, command, argument);
}

static const libtango_hook_t command_handler_hook = {
    .symbol = LIBTANGO_COMMAND_HANDLER,
    .replacement = (void *)hook_command_handler,
    .original = (void **)&original_command_handler,
};

/* If the admin device is busy when a server starts, for longer than Tango waits for it, they are
 * added with the next command that it executes. */
static void begin_adding(void)
{
    if (add_commands(false) != TANGO_BUSY)
        return;
    atomic_store(&commands_pending, true);
    if (libtango_hook(libtango, &command_handler_hook, 1) > 0)
        log_line(LOG_INFO, "the admin device is busy; the agent's commands are added with the next "
                           "command that it executes");
    else
        log_line(LOG_ERROR, "the admin device is busy, and the agent's commands can't be added "
                            "later; they are missing until the server is restarted");
}

void commands_add(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (libtango)
        pthread_once(&once, begin_adding);
}
