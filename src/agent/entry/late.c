/*
 * late: the entry of an agent that ska-tango-event-agent attach has loaded into a running process.
 *
 * The thread in which it is loaded is one of the process's own, in the middle of something else,
 * and the loader holds its lock: the constructor only starts a thread, with all signals blocked,
 * and that does the rest. It waits for the loader, hooks, adds the commands to an admin device that
 * is in use, and then answers on the agent's socket.
 */
#include "agent/entry/late.h"

#include <stddef.h>
#include <time.h>

#include "agent/answer/commands.h"
#include "agent/entry/attach.h"
#include "agent/entry/late_options.h"
#include "agent/entry/service.h"
#include "agent/platform/environment.h"
#include "agent/platform/log.h"
#include "agent/platform/thread.h"

/* In the file's data, so that attach can fill it in. */
volatile late_options_t late_options __attribute__((visibility("hidden"))) = {
    .magic = LATE_OPTIONS_MAGIC,
};

bool late_is_late(void)
{
    return late_options.is_late == 1;
}

static void take_options(void)
{
    static char log[sizeof late_options.log];
    static char schema[sizeof late_options.schema];
    for (size_t i = 0; i + 1 < sizeof log; i++)
        log[i] = late_options.log[i];
    for (size_t i = 0; i + 1 < sizeof schema; i++)
        schema[i] = late_options.schema[i];
    /* Whoever attaches means it. */
    environment_replace("SKA_TANGO_EVENT_AGENT", "on");
    environment_replace("SKA_TANGO_EVENT_AGENT_SOCKET", "on");
    environment_replace("SKA_TANGO_EVENT_AGENT_PERF", late_options.perf ? "1" : "");
    if (log[0])
        environment_replace("SKA_TANGO_EVENT_AGENT_LOG", log);
    if (schema[0])
        environment_replace("SKA_TANGO_EVENT_AGENT_SCHEMA", schema);
}

/*
 * A slot that was being bound at that very moment gets its hook now; and a server that was being
 * initialised, or was busy, gets its commands. Later than that, requests at the socket see to the
 * commands, and commands that the admin device executes.
 */
static void look_after(void)
{
    static const long pauses_ms[] = {10, 90, 900, 1000, 2000, 4000, 8000, 16000};
    for (size_t i = 0; i < sizeof pauses_ms / sizeof *pauses_ms; i++) {
        nanosleep(&(struct timespec){.tv_sec = pauses_ms[i] / 1000,
                                     .tv_nsec = pauses_ms[i] % 1000 * 1000000},
                  NULL);
        attach_renew();
        commands_retry();
    }
}

/* A process that was ending already when the agent came runs its exit handlers meanwhile, and so
 * those of the agent, which then stays out of libtango: what it has is being destroyed. */
static void let_it_end(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
}

static void *late_main(void *unused)
{
    (void)unused;
    take_options();
    service_prepare(); /* before the hooks, which a child has, too */
    const attach_result_t attached = attach(NULL);
    if (attached == ATTACH_SECOND) /* the other one answers */
        return NULL;
    if (attached != ATTACH_WATCHING) {
        service_serve();
        return NULL;
    }
    commands_watch_end();
    let_it_end();
    commands_add();
    service_begin();
    look_after();
    return NULL;
}

__attribute__((constructor)) static void loaded(void)
{
    if (late_is_late() && !thread_start(late_main))
        log_line(LOG_ERROR, "not attached: no thread can be started");
}
