#include "agent/entry/attach.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "agent/answer/commands.h"
#include "agent/counts/counts.h"
#include "agent/entry/late.h"
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

/* ---- off and on again ---- */

static pthread_mutex_t switch_mutex = PTHREAD_MUTEX_INITIALIZER;
static bool watching;

void attach_renew(void)
{
    pthread_mutex_lock(&switch_mutex);
    if (watching)
        hooks_renew();
    pthread_mutex_unlock(&switch_mutex);
}

bool attach_stop(void)
{
    pthread_mutex_lock(&switch_mutex);
    bool stopped = watching;
    if (stopped)
        hooks_remove();
    watching = false;
    pthread_mutex_unlock(&switch_mutex);
    return stopped;
}

/* What may have happened before isn't known. */
static void forget(void)
{
    streams_join_late(&agent_counts.streams);
    subscriptions_forget(&agent_counts.subscriptions);
}

bool attach_resume(void)
{
    pthread_mutex_lock(&switch_mutex);
    bool resumed = !watching && atomic_load(&attached_to) && result == ATTACH_WATCHING;
    if (resumed) {
        forget();
        samples_restart(&agent_counts.samples);
        hooks_renew();
        watching = true;
    }
    pthread_mutex_unlock(&switch_mutex);
    return resumed;
}

/* ---- the first time ---- */

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
    commands_init(&libtango, schema, now_ns, late_is_late());
    if (late_is_late())
        forget();
    pthread_mutex_lock(&switch_mutex);
    hooks_install(&libtango);
    watching = true;
    result = ATTACH_WATCHING;
    pthread_mutex_unlock(&switch_mutex);
}

/*
 * Whether another copy of the agent was loaded before this one. Two attachers that come at the same
 * moment don't see each other's; but the loader lists objects as it loads them, one at a time, so
 * all copies see the same one first.
 */
static bool is_second(void)
{
    elf_image_t first;
    const uintptr_t here = (uintptr_t)attach;
    return elf_image_find(&first, "PyInit_ska_tango_event_agent", NULL) &&
           (here < first.start || here >= first.end);
}

attach_result_t attach(libtango_server_init_t *server_init)
{
    if (!atomic_load(&attached_to) && is_second())
        return ATTACH_SECOND;
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

void attach_forget(void)
{
    switch_mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    elf_image_forget();
    subscriptions_forked(&agent_counts.subscriptions);
}
