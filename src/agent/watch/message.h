/*
 * message: an event's message, frame by frame, as it is sent or received. In the header, since each
 * frame of each event goes through it.
 */
#ifndef STEM_AGENT_MESSAGE_H
#define STEM_AGENT_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/tango/wire.h"
#include "agent/watch/original.h"

/*
 * With this model, what a thread remembers from one frame to the next is accessed without a call.
 * It uses the little memory that the loader reserves for libraries that are loaded late: only for
 * what is small and needed for each event.
 */
#define THREAD_LOCAL static _Thread_local __attribute__((tls_model("initial-exec")))

typedef struct {
    void *socket; /* of the message under way; NULL between messages */
    unsigned frame;
    bool valid; /* so far it looks like an event */
    bool little_endian;
    wire_call_t call;
    uint64_t bytes;
} message_t;

static inline void message_begin(message_t *self, void *socket)
{
    *self = (message_t){.socket = socket, .valid = true};
}

/* The content of the frames between topic and data, which is the same for both directions. */
static inline void message_frame(message_t *self, zmq_msg_t *zmq_message)
{
    size_t size = original.msg_size(zmq_message);
    self->bytes += size;
    if (self->frame == WIRE_FRAME_ENDIAN)
        self->little_endian = wire_is_little_endian(original.msg_data(zmq_message), size);
    else if (self->frame == WIRE_FRAME_CALL)
        self->valid = self->valid && wire_read_call(original.msg_data(zmq_message), size,
                                                    self->little_endian, &self->call);
    self->frame++;
}

#endif
