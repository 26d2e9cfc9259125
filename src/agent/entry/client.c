/*
 * client: attaches an agent that was loaded before libtango in a process that only receives: a
 * script, a GUI, a gateway, which never starts a server.
 *
 * DeviceProxy::subscribe_event calls ApiUtil::create_zmq_event_consumer before the first
 * subscription of a process, through a slot of libtango's that leads to the agent's definition. At
 * that moment there is no consumer thread and no topic yet, so everything is counted from the
 * start.
 */
#include "agent/entry/client.h"

#include <stdlib.h>
#include <strings.h>

#include "agent/entry/attach.h"
#include "agent/entry/service.h"
#include "agent/platform/elf_image.h"
#include "agent/platform/environment.h"
#include "agent/platform/log.h"
#include "agent/tango/libtango.h"

/* Tango::ApiUtil::create_zmq_event_consumer(). */
void *agent_create_consumer(void *first, void *second) __asm__(LIBTANGO_CREATE_CONSUMER_NAME)
    __attribute__((visibility("default")));

bool client_is_watched(void)
{
    const char *wanted = environment_get("SKA_TANGO_EVENT_AGENT");
    return !wanted || strcasecmp(wanted, "servers") != 0;
}

/* The one that its caller would call without the agent: libtango's own. */
static libtango_create_consumer_t *find_original(const void *caller)
{
    elf_image_t image;
    void *found = elf_image_of_address(&image, caller)
                      ? elf_image_symbol(&image, LIBTANGO_CREATE_CONSUMER_NAME, NULL)
                      : NULL;
    if (!found && elf_image_find(&image, LIBTANGO_CREATE_CONSUMER_NAME, (const void *)attach))
        found = elf_image_symbol(&image, LIBTANGO_CREATE_CONSUMER_NAME, NULL);
    return (libtango_create_consumer_t *)found;
}

void *agent_create_consumer(void *first, void *second)
{
    const void *caller = __builtin_return_address(0);
    libtango_create_consumer_t *original = find_original(caller);
    if (!original) {
        log_line(LOG_ERROR, "can't find Tango::ApiUtil::create_zmq_event_consumer; start the "
                            "program without the agent");
        abort();
    }
    libtango_server_init_t *server_init =
        libtango_find_server_init(NULL, caller, (const void *)attach);
    bool watched = server_init && client_is_watched() && attach(server_init) == ATTACH_WATCHING;
    void *result = original(first, second); /* may throw */
    if (watched)
        service_begin();
    return result;
}
