#include "agent/entry/service.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>

#include "agent/answer/commands.h"
#include "agent/answer/socket.h"
#include "agent/entry/attach.h"
#include "agent/entry/client.h"
#include "agent/platform/clocks.h"
#include "agent/platform/environment.h"
#include "agent/platform/log.h"
#include "agent/platform/thread.h"
#include "agent/watch/subscribing.h"

static atomic_bool begun;  /* in this process: not yet in a child */
static atomic_bool ending; /* what libtango has may be destroyed at any moment */

static char *handle(const char *command, const char *argument, const char **error)
{
    if (atomic_load(&ending)) {
        *error = "the process is ending";
        return NULL;
    }
    if (strcmp(command, "Identify") == 0)
        return commands_identify();
    if (strcmp(command, "Detach") == 0) {
        if (attach_stop())
            commands_detach();
        else
            commands_retry(); /* the admin device was busy when they were to be removed */
        return strdup("");
    }
    if (strcmp(command, "Attach") == 0) {
        if (attach_resume())
            commands_attach_again(clock_realtime_ns());
        return strdup("");
    }
    commands_retry(); /* there may be an admin device now, or it isn't busy any more */
    return commands_run(command, argument, error);
}

static bool open_socket(void)
{
    const char *wanted = environment_get("SKA_TANGO_EVENT_AGENT_SOCKET");
    if (wanted && strcasecmp(wanted, "off") == 0)
        return false;
    if (socket_open())
        return true;
    log_line(
        LOG_ERROR,
        "no socket can be opened (%s); this process can be asked through its admin device only",
        strerror(errno));
    return false;
}

/* ---- the life of the process ---- */

/* Called before libtango's own variables are destroyed, since it was loaded before this was
 * registered. Whoever is being answered just then reads nothing but the agent's counts. */
static void process_ends(void)
{
    atomic_store(&ending, true);
}

/* An agent that was loaded late isn't where the first subscription of a process asks (client.c),
 * and a child whose parent has subscribed doesn't ask there. */
static void child_subscribes(void)
{
    if (!atomic_load(&begun) && client_is_watched())
        service_begin();
}

/* A child has no thread of the agent's. It begins anew when it subscribes or starts a server. */
static void child_begins(void)
{
    subscribing_begins_with(child_subscribes);
    socket_forget();
    commands_forget();
    attach_forget();
    atomic_store(&begun, false);
}

static void follow_the_process(void)
{
    atexit(process_ends);
    pthread_atfork(NULL, NULL, child_begins);
}

void service_prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, follow_the_process);
}

/* Whether the caller is the one who is to serve. */
static bool is_first(void)
{
    service_prepare();
    return !atomic_exchange(&begun, true);
}

/* ---- the thread ---- */

static void serve(void)
{
    prctl(PR_SET_NAME, "event-agent");
    if (open_socket())
        socket_serve(handle);
}

void service_serve(void)
{
    if (is_first())
        serve();
}

static void *service_main(void *unused)
{
    (void)unused;
    serve();
    return NULL;
}

void service_begin(void)
{
    if (is_first() && !thread_start(service_main))
        log_line(LOG_ERROR, "no thread can be started; this process can be asked through its admin "
                            "device only");
}
