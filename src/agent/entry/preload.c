/*
 * preload: attaches an agent that was loaded before libtango, by LD_PRELOAD or by a Python
 * (python_entry.c).
 *
 * Callers of Tango::Util::server_init then find the agent's definition first: every device server
 * calls it, C++ or Python, once, before it serves. At that moment libtango is certainly loaded,
 * wherever it came from.
 */
#include <dlfcn.h>
#include <stdlib.h>

#include "agent/answer/commands.h"
#include "agent/counts/counts.h"
#include "agent/entry/attach.h"
#include "agent/entry/service.h"
#include "agent/platform/log.h"

/* Tango::Util::server_init(bool). */
void agent_server_init(void *util, bool with_window) __asm__(LIBTANGO_SERVER_INIT_NAME)
    __attribute__((visibility("default")));

void agent_server_init(void *util, bool with_window)
{
    libtango_server_init_t *server_init =
        libtango_find_server_init(util, __builtin_return_address(0), (const void *)attach);
    if (!server_init) /* called, so it is defined somewhere, but in an object that we can't read */
        server_init = (libtango_server_init_t *)dlsym(RTLD_NEXT, LIBTANGO_SERVER_INIT_NAME);
    if (!server_init) {
        log_line(LOG_ERROR, "can't find Tango::Util::server_init; start the server without the "
                            "agent");
        abort();
    }

    attach_result_t attached = attach(server_init);
    if (attached == ATTACH_ANOTHER) {
        log_line(LOG_ERROR, "a second libtango in this process starts a server; its events aren't "
                            "watched");
        atomic_store(&agent_counts.other_libtango, true);
    }
    server_init(util, with_window); /* may throw; then there is no server */
    if (attached == ATTACH_WATCHING) {
        service_prepare();
        commands_add();
        service_begin();
    }
}
