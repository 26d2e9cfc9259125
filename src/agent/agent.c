/*
 * The agent itself: how it gets in, and the commands that it adds.
 *
 * It is loaded before libtango (LD_PRELOAD), so that its definition of Tango::Util::server_init is
 * found first by whoever calls that: every device server does, C++ or Python, once, before it
 * serves. That is the moment when libtango is certainly loaded, wherever it came from.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "agent/answer.h"
#include "agent/clocks.h"
#include "agent/elf_image.h"
#include "agent/hooks.h"
#include "agent/log.h"
#include "agent/samples.h"
#include "agent/streams.h"
#include "agent/subscriptions.h"
#include "agent/tango_abi.h"

static elf_image_t libtango;
static streams_t streams;
static subscriptions_t subscriptions = SUBSCRIPTIONS_INITIALIZER;
static samples_t samples;
static answer_origin_t origin;
static answer_schema_t schema = ANSWER_VERSION_1;

/* ---- commands ---- */

/* Each query command has its own place in the samples, so that two clients that use different
   commands don't take them from each other. Between readers of one command there is this lock; no
   event ever waits for it. */
static pthread_mutex_t query_mutex = PTHREAD_MUTEX_INITIALIZER;
static samples_reader_t system_reader;
static samples_reader_t agent_reader;

static char *query(samples_reader_t *reader, answer_schema_t in_schema)
{
    pthread_mutex_lock(&query_mutex);
    const answer_sources_t sources = {&streams, &subscriptions, &samples};
    char *answer = answer_query(&sources, reader, in_schema, &origin);
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
    samples_enable(&samples, true);
    return NULL;
}

static char *stop_perf_mon(bool unused)
{
    (void)unused;
    samples_enable(&samples, false);
    return NULL;
}

static char *enable_perf_mon(bool enable)
{
    samples_enable(&samples, enable);
    return NULL;
}

#define QUERY_DESCRIPTION                                                                          \
    "JSON object: the events that this server has published and received, its event channels, "    \
    "and "                                                                                         \
    "the performance samples since the last query"

/* The first is left out where Tango has it built in. */
static const tango_command_t commands[] = {
    {"QueryEventSystem", TANGO_DEV_VOID, "", TANGO_DEV_STRING, QUERY_DESCRIPTION,
     query_event_system},
    {"QueryEventAgent", TANGO_DEV_VOID, "", TANGO_DEV_STRING,
     QUERY_DESCRIPTION "; as counted by ska-tango-event-agent", query_event_agent},
    {"StartEventSystemPerfMon", TANGO_DEV_VOID, "", TANGO_DEV_VOID,
     "Starts to sample how long events take (the 256 newest are kept)", start_perf_mon},
    {"StopEventSystemPerfMon", TANGO_DEV_VOID, "", TANGO_DEV_VOID,
     "Stops to sample how long events take", stop_perf_mon},
    {"EnableEventSystemPerfMon", TANGO_DEV_BOOLEAN,
     "true: sample how long events take (the 256 newest are kept); false: stop it", TANGO_DEV_VOID,
     "", enable_perf_mon},
};

static void add_commands(void)
{
    size_t skip = tango_has_query_event_system(&libtango) ? 1 : 0;
    size_t count = sizeof commands / sizeof *commands - skip;
    const char *missing;
    size_t added = tango_add_commands(&libtango, commands + skip, count, &missing);
    if (missing)
        log_line(LOG_ERROR, "%s has no symbol %s; the server runs without our commands",
                 libtango.path, missing);
    else if (added < count)
        log_line(LOG_ERROR, "only %zu of %zu commands could be added to the admin device", added,
                 count);
    else
        log_line(LOG_INFO, "attached to Tango %s (%s)", origin.tango_version, libtango.path);
}

/* ---- attaching ---- */

static void read_environment(void)
{
    log_set_level(getenv("SKA_TANGO_EVENT_AGENT_LOG"));
    const char *perf = getenv("SKA_TANGO_EVENT_AGENT_PERF");
    if (perf && strcmp(perf, "1") == 0)
        samples_enable(&samples, true);
    const char *wanted = getenv("SKA_TANGO_EVENT_AGENT_SCHEMA");
    if (wanted && strcmp(wanted, "legacy") == 0)
        schema = ANSWER_LEGACY;
    else if (wanted && *wanted && strcmp(wanted, "1") != 0)
        log_line(LOG_ERROR, "SKA_TANGO_EVENT_AGENT_SCHEMA=%.40s is unknown; use 1 or legacy",
                 wanted);
}

static pthread_once_t attach_once = PTHREAD_ONCE_INIT;
static bool switched_off;

/* Hooks into the process's libtango. Runs once, whoever comes first; works whether events already
   flow or not. */
static void attach(void)
{
    read_environment();
    streams_init(&streams);
    origin.attached_ns = clock_realtime_ns();
    if (!tango_find_library(&libtango, (const void *)attach)) {
        libtango.symbols = NULL;
        log_line(LOG_DEBUG, "no libtango in this process");
        return;
    }
    elf_image_pin(&libtango);
    const char *wanted = getenv("SKA_TANGO_EVENT_AGENT");
    switched_off = wanted && strcmp(wanted, "off") == 0;
    if (switched_off) {
        log_line(LOG_INFO, "switched off by SKA_TANGO_EVENT_AGENT");
        return;
    }
    tango_version(&libtango, origin.tango_version, sizeof origin.tango_version);
    hooks_install(&libtango, &streams, &subscriptions, &samples);
}

/* Tango::Util::server_init(bool), which every device server calls. */
void agent_server_init(void *util, bool with_window) __asm__(TANGO_SERVER_INIT)
    __attribute__((visibility("default")));

void agent_server_init(void *util, bool with_window)
{
    pthread_once(&attach_once, attach);
    if (!libtango.symbols) {
        /* Called, so it is defined somewhere, but in an object that we can't read. */
        typedef void server_init_t(void *, bool);
        server_init_t *next = (server_init_t *)dlsym(RTLD_NEXT, TANGO_SERVER_INIT);
        if (!next) {
            log_line(LOG_ERROR, "can't find Tango::Util::server_init; start the server without "
                                "the agent");
            abort();
        }
        next(util, with_window);
        return;
    }
    tango_server_init(&libtango, util, with_window); /* may throw; then there is no server */
    static pthread_once_t added_once = PTHREAD_ONCE_INIT;
    if (!switched_off)
        pthread_once(&added_once, add_commands);
}
