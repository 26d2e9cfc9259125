#include "agent/watch/hooks.h"

#include <stdio.h>

#include "agent/counts/counts.h"
#include "agent/platform/log.h"
#include "agent/watch/original.h"
#include "agent/watch/publishing.h"
#include "agent/watch/receiving.h"
#include "agent/watch/subscribing.h"

original_t original;

/* The functions to hook, and what isn't watched when libtango has no slot for one; NULL: that
   doesn't matter. */
static const struct {
    libtango_hook_t hook;
    const char *purpose;
} plan[] = {
    {{LIBTANGO_ZMQ_MSG_RECV, (void *)receiving_msg_recv, (void **)&original.msg_recv},
     "received events"},
    {{LIBTANGO_ZMQ_MSG_SEND, (void *)publishing_msg_send, (void **)&original.msg_send},
     "pushed events"},
    {{LIBTANGO_ZMQ_POLL, (void *)receiving_poll, (void **)&original.poll}, "subscriptions"},
    {{LIBTANGO_ZMQ_RECVMSG, (void *)receiving_recvmsg, (void **)&original.recvmsg}, NULL},
    {{LIBTANGO_PUSH_EVENT, (void *)publishing_push_event, (void **)&original.push_event},
     "how long pushing takes"},
    {{LIBTANGO_INIT_EVENT_CPTR, (void *)publishing_init_event_cptr,
      (void **)&original.init_event_cptr},
     "streams before their first event"},
    {{LIBTANGO_CONFIRM_SUBSCRIPTION, (void *)publishing_confirm_subscription,
      (void **)&original.confirm_subscription},
     "whether clients are still subscribed"},
    {{LIBTANGO_CONNECT_EVENT, (void *)subscribing_connect_event, (void **)&original.connect_event},
     "callbacks"},
    {{LIBTANGO_ASYNC_SUBSCRIPTION, (void *)subscribing_async_subscription,
      (void **)&original.async_subscription},
     NULL},
    {{LIBTANGO_ADD_NOT_CONNECTED, (void *)subscribing_add_not_connected,
      (void **)&original.add_not_connected},
     "subscriptions that are not connected"},
    {{LIBTANGO_STATELESS_FAILED, (void *)subscribing_stateless_failed,
      (void **)&original.stateless_failed},
     NULL},
    {{LIBTANGO_UNSUBSCRIBE_EVENT, (void *)subscribing_unsubscribe_event,
      (void **)&original.unsubscribe_event},
     "removed callbacks"},
};

enum { PLAN_SIZE = sizeof plan / sizeof *plan };

/*
 * Reports in one line, and in the answers, what isn't watched because libtango has no slot for it.
 * If its own functions are called without one (it was linked with -Bsymbolic-functions), that is
 * all of them.
 */
static void say_what_is_missing(void)
{
    size_t missing = 0;
    static char list[320];
    size_t length = 0;
    size_t count = 0;
    for (size_t i = 0; i < PLAN_SIZE; i++) {
        if (*plan[i].hook.original || !plan[i].purpose)
            continue;
        missing = i;
        int more = snprintf(list + length, sizeof list - length, "%s%s", count++ > 0 ? ", " : "",
                            plan[i].purpose);
        if (more > 0 && (size_t)more < sizeof list - length)
            length += (size_t)more;
    }
    if (count > 0)
        atomic_store(&agent_counts.unwatched, list);
    if (count == 1)
        log_line(LOG_ERROR, "%s has no slot for %s; not watched: %s", original.libtango->path,
                 libtango_name(plan[missing].hook.symbol), plan[missing].purpose);
    else if (count > 1)
        log_line(LOG_ERROR, "%.150s calls its own functions directly; not watched: %s",
                 original.libtango->path, list);
}

static void list_hooks(libtango_hook_t hooks[PLAN_SIZE])
{
    for (size_t i = 0; i < PLAN_SIZE; i++)
        hooks[i] = plan[i].hook;
}

void hooks_renew(void)
{
    if (!original.msg_data || !original.msg_size)
        return;
    libtango_hook_t hooks[PLAN_SIZE];
    list_hooks(hooks);
    int written = libtango_hook(original.libtango, hooks, PLAN_SIZE);
    if (written != 0)
        log_line(LOG_DEBUG, "%d slots of %s hooked again", written, original.libtango->path);
}

void hooks_remove(void)
{
    if (!original.libtango)
        return;
    libtango_hook_t hooks[PLAN_SIZE];
    list_hooks(hooks);
    if (libtango_unhook(original.libtango, hooks, PLAN_SIZE) < 0)
        log_line(LOG_ERROR, "slots of %s can't be written; it is still watched in part",
                 original.libtango->path);
    /* What threads remember of what they have seen holds no longer. */
    atomic_fetch_add(&original.epoch, 1);
}

bool hooks_install(const elf_image_t *libtango)
{
    original.libtango = libtango;
    original.msg_data = (libtango_msg_data_t *)libtango_imported(libtango, LIBTANGO_ZMQ_MSG_DATA);
    original.msg_size = (libtango_msg_size_t *)libtango_imported(libtango, LIBTANGO_ZMQ_MSG_SIZE);
    original.getsockopt =
        (libtango_getsockopt_t *)libtango_imported(libtango, LIBTANGO_ZMQ_GETSOCKOPT);
    if (!original.msg_data || !original.msg_size) {
        log_line(LOG_ERROR,
                 "%s doesn't import zmq_msg_data and zmq_msg_size; its events aren't watched",
                 libtango->path);
        atomic_store(&agent_counts.unwatched, "events");
        return false;
    }

    libtango_hook_t hooks[PLAN_SIZE];
    original.strings = libtango_strings(libtango);
    original.compares_zeros = libtango_compares_zeros(libtango);
    agent_counts.streams.published.lacks_counters = !original.compares_zeros;
    agent_counts.streams.several_hosts = libtango_has_several_hosts();
    list_hooks(hooks);
    int written = libtango_hook(libtango, hooks, PLAN_SIZE);
    if (written < 0) {
        log_line(LOG_ERROR, "slots of %s can't be written; not all events are watched",
                 libtango->path);
        atomic_store(&agent_counts.unwatched, "some of the events");
    }
    if (written >= 0)
        say_what_is_missing();
    /* What can't be known is null in the answer. */
    atomic_store(&agent_counts.subscriptions.watched, original.connect_event &&
                                                          original.add_not_connected &&
                                                          original.unsubscribe_event);
    atomic_store(&agent_counts.samples.pushes_unwatched, !original.push_event);
    agent_counts.streams.published.starts_unwatched = !original.init_event_cptr;
    log_line(LOG_DEBUG, "%d slots of %s hooked", written, libtango->path);
    return written != 0;
}
