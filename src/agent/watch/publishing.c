#include "agent/watch/publishing.h"

#include <errno.h>

#include "agent/counts/counts.h"
#include "agent/platform/clocks.h"
#include "agent/watch/message.h"
#include "agent/watch/original.h"
#include "agent/watch/receiving.h"
#include "agent/watch/subscribing.h"

static streams_t *const streams = &agent_counts.streams;
static samples_t *const samples = &agent_counts.samples;

typedef struct {
    uint32_t epoch;
    message_t message;
    stream_t *stream;
    push_call_t call;
    stream_t *pushed; /* the stream of the event that the call has sent; or NULL */
} publisher_t;

THREAD_LOCAL publisher_t publisher;

static publisher_t *this_publisher(void)
{
    publisher_t *self = &publisher;
    uint32_t epoch = original_epoch();
    if (self->epoch != epoch)
        *self = (publisher_t){.epoch = epoch};
    return self;
}

/*
 * cppTango sends the frames of one message one after the other from one thread, under a mutex, so
 * the thread can remember where in the message it is. A message of a single frame is not an event:
 * a control command, its reply, or the "I like beer" that keeps an idle socket clean.
 */
static void publish_frame(publisher_t *self, zmq_msg_t *zmq_message, void *socket, bool more)
{
    message_t *message = &self->message;
    if (message->socket != socket) {
        message_begin(message, socket);
        self->stream = NULL;
    }
    if (message->frame == WIRE_FRAME_TOPIC) {
        self->stream = more ? streams_pushed_as(streams, original.msg_data(zmq_message),
                                                original.msg_size(zmq_message))
                            : NULL;
        message->valid = self->stream != NULL;
    }
    if (message->valid)
        message_frame(message, zmq_message);
}

static void publish_sent(publisher_t *self, bool sent, bool more)
{
    message_t *message = &self->message;
    if (sent && more)
        return;
    if (sent && message->valid && message->frame == WIRE_FRAME_COUNT) {
        stream_pushed(self->stream, &streams->published, message->call.counter, &self->call,
                      message->bytes, clock_coarse_ns());
        self->pushed = self->stream;
    }
    message->socket = NULL;
}

/*
 * On an event's way nothing is called that may set errno (memory is only allocated for new entries,
 * and that keeps it): saving it in every hook would cost as much as the counting.
 */
int publishing_msg_send(zmq_msg_t *zmq_message, void *socket, int flags)
{
    bool more = flags & ZMQ_SNDMORE_FLAG;
    publisher_t *self = this_publisher();
    /* Before it is sent: after that, its content is ZeroMQ's, and a client may query the result. */
    if (more || self->message.socket) {
        publish_frame(self, zmq_message, socket, more);
    } else {
        int saved_errno = errno;
        const void *data = original.msg_data(zmq_message);
        size_t size = original.msg_size(zmq_message);
        if (!receiving_replies(size))
            subscribing_command(data, size);
        errno = saved_errno;
    }
    int rc = original.msg_send(zmq_message, socket, flags);
    if (self->message.socket)
        publish_sent(self, rc >= 0, more);
    return rc;
}

static _Atomic uint32_t push_generation;
static _Atomic int64_t push_last_ns;

/* "Since the last event" is over all threads that push, as the samples are. */
static int64_t since_last_push(int64_t now_ns)
{
    uint32_t generation = samples_generation(samples);
    uint32_t before = atomic_exchange(&push_generation, generation);
    int64_t last_ns = atomic_exchange(&push_last_ns, now_ns);
    return before == generation ? now_ns - last_ns : SAMPLE_UNKNOWN;
}

void publishing_push_event(void *self, void *a, void *b, void *c, void *d, void *e, void *f,
                           void *g, void *h, void *i, uintptr_t j)
{
    this_publisher()->call = (push_call_t){.watched = true, .counts = j & 1}; /* inc_cptr, a bool */
    if (!samples_enabled(samples)) {
        original.push_event(self, a, b, c, d, e, f, g, h, i, j);
        return;
    }
    publisher.pushed = NULL;
    int64_t start_ns = clock_monotonic_ns();
    push_sample_t sample = {.since_last_ns = since_last_push(start_ns)};
    original.push_event(self, a, b, c, d, e, f, g, h, i, j); /* may throw: then no sample */
    sample.push_event_ns = clock_monotonic_ns() - start_ns;
    samples_push(samples, &sample);
    if (publisher.pushed)
        stream_push_took(publisher.pushed, sample.push_event_ns);
}

void publishing_init_event_cptr(void *self, const std_string_t *name)
{
    original.init_event_cptr(self, name);
    int saved_errno = errno;
    size_t length;
    const char *text = std_string_text(original.strings, name, &length);
    stream_t *stream = streams_published(streams, text, length);
    if (stream)
        stream_subscribed(stream, &streams->published, clock_realtime_ns());
    errno = saved_errno;
}

void publishing_confirm_subscription(void *self, const libtango_string_array_t *listened)
{
    original.confirm_subscription(self, listened); /* throws if there is no such device */
    int saved_errno = errno;
    int64_t now_ns = clock_realtime_ns();
    for (uint32_t i = 0; i + 2 < listened->length; i += 3)
        streams_confirmed(streams, listened->texts[i], listened->texts[i + 1],
                          listened->texts[i + 2], now_ns);
    errno = saved_errno;
}
