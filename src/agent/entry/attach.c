#include "agent/entry/attach.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "agent/answer/commands.h"
#include "agent/counts/counts.h"
#include "agent/platform/clocks.h"
#include "agent/platform/environment.h"
#include "agent/platform/log.h"
#include "agent/watch/hooks.h"

static elf_image_t libtango;                          /* the one that is watched */
static _Atomic(libtango_server_init_t *) attached_to; /* its server_init; the first caller's */
static attach_result_t result;

/* From the environment. */
static answer_schema_t schema;
static bool switched_off;

static bool is_switched_off(void)
{
    static const char *const words[] = {"off", "0", "no", "false"};
    const char *wanted = environment_get("SKA_TANGO_EVENT_AGENT");
    for (size_t i = 0; wanted && i < sizeof words / sizeof *words; i++)
        if (strcasecmp(wanted, words[i]) == 0)
            return true;
    return false;
}

static void read_environment(void)
{
    log_set_level(environment_get("SKA_TANGO_EVENT_AGENT_LOG"));
    const char *perf = environment_get("SKA_TANGO_EVENT_AGENT_PERF");
    if (perf && strcmp(perf, "1") == 0)
        samples_enable(&agent_counts.samples, true);
    const char *wanted = environment_get("SKA_TANGO_EVENT_AGENT_SCHEMA");
    if (wanted && strcmp(wanted, "legacy") == 0)
        schema = ANSWER_LEGACY;
    else if (wanted && *wanted && strcmp(wanted, "1") != 0)
        log_line(LOG_ERROR, "SKA_TANGO_EVENT_AGENT_SCHEMA=%.40s is unknown; use 1 or legacy",
                 wanted);
    switched_off = is_switched_off();
}

/* Installs the hooks in the libtango of attached_to. Runs once, for the first caller. */
static void attach_once(void)
{
    streams_init(&agent_counts.streams);
    int64_t now_ns = clock_realtime_ns();
    if (!libtango_find(&libtango, atomic_load(&attached_to))) { /* it was there a moment ago */
        result = ATTACH_NO_LIBTANGO;
        return;
    }
    elf_image_pin(&libtango);
    if (switched_off) {
        log_line(LOG_INFO, "switched off by SKA_TANGO_EVENT_AGENT");
        result = ATTACH_SWITCHED_OFF;
        return;
    }
    commands_init(&libtango, schema, now_ns);
    hooks_install(&libtango);
    result = ATTACH_WATCHING;
}

attach_result_t attach(libtango_server_init_t *server_init)
{
    static pthread_once_t environment_once = PTHREAD_ONCE_INIT;
    pthread_once(&environment_once, read_environment);

    const bool any = !server_init;
    libtango_server_init_t *watched = atomic_load(&attached_to);
    if (any)
        server_init = watched;
    if (!server_init)
        server_init = libtango_find_server_init(NULL, NULL, (const void *)attach);
    if (!server_init)
        return ATTACH_NO_LIBTANGO;
    elf_image_t image;
    if (!watched && !libtango_find(&image, server_init)) {
        log_line(LOG_DEBUG, "no libtango in this process");
        return ATTACH_NO_LIBTANGO;
    }

    static pthread_once_t once = PTHREAD_ONCE_INIT;
    libtango_server_init_t *nobody = NULL;
    atomic_compare_exchange_strong(&attached_to, &nobody, server_init);
    pthread_once(&once, attach_once);
    return any || atomic_load(&attached_to) == server_init ? result : ATTACH_ANOTHER;
}
