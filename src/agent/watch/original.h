/*
 * original: the original content of libtango's slots, and what the hooks have to know about
 * libtango. Set by hooks_install: all but the slots before the first hook is called, and each
 * slot's before its hook is.
 */
#ifndef STEM_AGENT_ORIGINAL_H
#define STEM_AGENT_ORIGINAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/tango/libtango.h"

typedef struct {
    libtango_msg_recv_t *msg_recv;
    libtango_recvmsg_t *recvmsg;
    libtango_msg_send_t *msg_send;
    libtango_poll_t *poll;
    libtango_push_event_t *push_event;
    libtango_init_event_cptr_t *init_event_cptr;
    libtango_confirm_subscription_t *confirm_subscription;
    libtango_connect_event_t *connect_event;
    libtango_async_subscription_t *async_subscription;
    libtango_add_not_connected_t *add_not_connected;
    libtango_stateless_failed_t *stateless_failed;
    libtango_unsubscribe_event_t *unsubscribe_event;
    libtango_msg_data_t *msg_data;
    libtango_msg_size_t *msg_size;
    libtango_getsockopt_t *getsockopt;

    const elf_image_t *libtango;
    std_string_layout_t strings;
    bool compares_zeros; /* see topic_event_t */
    /* How often the hooks were taken out. What a thread remembers from one hook to the next belongs
     * to one epoch. */
    _Atomic uint32_t epoch;
} original_t;

/* Hidden, so that a hook accesses it without an address table. */
extern original_t original __attribute__((visibility("hidden")));

static inline uint32_t original_epoch(void)
{
    return atomic_load_explicit(&original.epoch, memory_order_relaxed);
}

#endif
