#include "agent/watch/receiving.h"

#include <errno.h>
#include <string.h>

#include "agent/counts/counts.h"
#include "agent/platform/clocks.h"
#include "agent/platform/log.h"
#include "agent/tango/topic_name.h"
#include "agent/watch/message.h"
#include "agent/watch/original.h"

static streams_t *const streams = &agent_counts.streams;
static subscriptions_t *const subscriptions = &agent_counts.subscriptions;
static samples_t *const samples = &agent_counts.samples;

typedef struct {
    uint32_t epoch;
    /* The consumer thread's sockets; NULL in every other thread, and until it polls. */
    void *control;
    void *heartbeats;
    void *events;

    message_t message;
    topic_t *topic;

    /* Monitoring. */
    uint32_t generation;
    int64_t last_event_ns; /* when the previous event was received; monotonic */
    int64_t sleep_ns;      /* in poll since the previous event */
    int64_t wake_count;
    bool command_pending; /* the control command that it received isn't answered yet */
    bool polled;          /* this is the consumer thread */
    bool executing;       /* the last message that it received was a control command */
    bool in_callbacks;    /* an event is being processed */
    bool processing;      /* and sampled */
    int64_t received_ns;  /* since when */
    receive_sample_t sample;
} consumer_t;

THREAD_LOCAL consumer_t consumer;

static consumer_t *this_consumer(void)
{
    consumer_t *self = &consumer;
    uint32_t epoch = original_epoch();
    if (self->epoch != epoch)
        *self = (consumer_t){.epoch = epoch};
    return self;
}

/*
 * The control command that the consumer thread is executing: of at most 1024 bytes, since cppTango
 * builds them in such buffers. It is done when the thread answers "OK"; any other answer is an
 * error text, and then it had no effect.
 */
static struct {
    char data[2048];
    size_t size;
} received_command;

enum { ACCEPTED_SIZE = 2 };

static void command_answered(consumer_t *self, bool accepted)
{
    if (!self->command_pending)
        return;
    self->command_pending = false;
    wire_control_t command;
    if (!wire_read_control(received_command.data, received_command.size, &command))
        log_line(LOG_DEBUG, "a control command of %zu bytes to the consumer thread can't be read",
                 received_command.size);
    else if (accepted)
        streams_executed(streams, &command, clock_realtime_ns());
    else
        streams_refused(streams, &command);
}

bool receiving_replies(size_t size)
{
    consumer_t *self = this_consumer();
    if (!self->command_pending)
        return false;
    command_answered(self, size == ACCEPTED_SIZE);
    return true;
}

/*
 * The consumer thread polls its control socket, its heartbeat socket and its event socket, in this
 * order, then those of multicast events; while events are delayed, the first only.
 */
static void learn_sockets(consumer_t *self, const zmq_pollitem_t *items, int item_count)
{
    if (item_count >= 1)
        self->control = items[0].socket;
    if (item_count >= 3) {
        self->heartbeats = items[1].socket;
        self->events = items[2].socket;
    }
}

typedef enum { SOCKET_OTHER, SOCKET_CONTROL, SOCKET_SUBSCRIBER } socket_kind_t;

/*
 * Which of the consumer's sockets this is. Those of multicast events, and all of them in a thread
 * that hasn't polled since the agent was loaded, are recognised by their type; only the consumer
 * thread has SUB or REP sockets in libtango.
 */
static socket_kind_t kind_of_socket(const consumer_t *self, void *socket)
{
    if (socket == self->events || socket == self->heartbeats)
        return SOCKET_SUBSCRIBER;
    if (socket == self->control)
        return SOCKET_CONTROL;
    int type = -1;
    size_t size = sizeof type;
    int saved_errno = errno;
    bool known =
        original.getsockopt && original.getsockopt(socket, ZMQ_TYPE_OPTION, &type, &size) == 0;
    errno = saved_errno;
    if (!known)
        return SOCKET_OTHER;
    if (type == ZMQ_SUB_TYPE)
        return SOCKET_SUBSCRIBER;
    return type == ZMQ_REP_TYPE ? SOCKET_CONTROL : SOCKET_OTHER;
}

/* The callbacks have returned when the thread polls again or receives something else. */
static void finish_processing(consumer_t *self)
{
    if (!self->in_callbacks)
        return;
    self->in_callbacks = false;
    consumer_enters(&streams->consumer, CONSUMER_POLLING, NULL, clock_monotonic_coarse_ns());

    if (!self->processing)
        return;
    self->processing = false;
    receive_sample_t *sample = &self->sample;
    sample->process_ns = clock_monotonic_ns() - self->received_ns;
    samples_receive(samples, sample);
    if (!(sample->kind_and_discarded & 1))
        topic_event_took(self->topic, sample->latency_ns != SAMPLE_UNKNOWN, sample->latency_ns,
                         sample->process_ns);
}

/* Monitoring was restarted: what is remembered is from before. */
static void begin_monitoring(consumer_t *self)
{
    uint32_t generation = samples_generation(samples);
    if (self->generation == generation)
        return;
    self->generation = generation;
    self->last_event_ns = 0;
    self->sleep_ns = 0;
    self->wake_count = 0;
}

static void sample_event(consumer_t *self, topic_result_t result, const void *data, size_t size)
{
    begin_monitoring(self);
    int64_t now_ns = clock_monotonic_ns();
    const message_t *message = &self->message;
    const char *topic = self->topic->entry.name;
    size_t topic_length = self->topic->entry.name_length;
    bool discarded = result == TOPIC_DISCARDED;

    receive_sample_t *sample = &self->sample;
    memset(sample, 0, sizeof *sample);
    if (!discarded) {
        size_t length;
        const char *name = topic_name_attribute(topic, topic_length, &length);
        memcpy(sample->attr_name, name, length < SAMPLE_NAME_SIZE ? length : SAMPLE_NAME_SIZE - 1);
    }
    sample->since_last_ns = self->last_event_ns ? now_ns - self->last_event_ns : SAMPLE_UNKNOWN;
    sample->sleep_ns = self->sleep_ns;
    sample->wake_count = self->wake_count;
    int64_t callbacks = atomic_load_explicit(&subscriptions->watched, memory_order_relaxed)
                            ? topic_callback_count(self->topic)
                            : TOPIC_CALLBACKS_UNKNOWN;
    if (discarded)
        callbacks = 0;
    sample->callback_count = callbacks == TOPIC_CALLBACKS_UNKNOWN ? SAMPLE_UNKNOWN : callbacks;
    sample->kind_and_discarded =
        (int64_t)topic_name_kind(topic, topic_length) * 2 + (discarded ? 1 : 0);
    int64_t event_ns;
    sample->latency_ns = SAMPLE_UNKNOWN;
    if (!discarded && wire_read_time(topic, topic_length, data, size, message->little_endian,
                                     message->call.is_error, &event_ns))
        sample->latency_ns = clock_realtime_ns() - event_ns;

    self->last_event_ns = now_ns;
    self->sleep_ns = 0;
    self->wake_count = 0;
    self->received_ns = now_ns;
    self->processing = true;
}

static void event_complete(consumer_t *self, zmq_msg_t *zmq_message)
{
    message_t *message = &self->message;
    if (!message->valid || !self->topic)
        return;
    const topic_event_t event = {.counter = message->call.counter,
                                 .is_error = message->call.is_error,
                                 .compares_zeros = original.compares_zeros,
                                 .bytes = message->bytes,
                                 .time_ns = clock_coarse_ns()};
    topic_result_t result = topic_received(self->topic, &event);
    if (result == TOPIC_IGNORED)
        return;
    consumer_enters(&streams->consumer, CONSUMER_CALLBACKS, self->topic,
                    clock_monotonic_coarse_ns());
    self->in_callbacks = true;
    if (samples_enabled(samples))
        sample_event(self, result, original.msg_data(zmq_message), original.msg_size(zmq_message));
}

/* The first frame of a message on a SUB socket. */
static void begin_topic(consumer_t *self, void *socket, const void *data, size_t size)
{
    self->topic = streams_known_topic(streams, data, size);
    if (self->topic && !topic_is_forgotten(self->topic))
        return;
    self->topic = NULL;
    self->message.valid = topic_name_is_valid(data, size);
    if (self->message.valid && socket == self->heartbeats)
        streams_heartbeat(streams, data, size, clock_coarse_ns(), clock_monotonic_coarse_ns());
    else if (self->message.valid && !topic_name_is_heartbeat(data, size))
        self->topic = streams_topic(streams, data, size);
}

/*
 * One frame has arrived on a SUB socket. A heartbeat has three frames, an event four: cppTango
 * itself relies on that.
 */
static void subscriber_frame(consumer_t *self, void *socket, zmq_msg_t *zmq_message)
{
    message_t *message = &self->message;
    if (message->socket != socket) {
        finish_processing(self);
        message_begin(message, socket);
        self->topic = NULL;
        begin_topic(self, socket, original.msg_data(zmq_message), original.msg_size(zmq_message));
    }
    bool heartbeat = self->topic == NULL && socket == self->heartbeats;
    message_frame(message, zmq_message);
    if (message->frame == (heartbeat ? WIRE_FRAME_DATA : WIRE_FRAME_COUNT)) {
        event_complete(self, zmq_message);
        message->socket = NULL;
    }
}

static void control_message(consumer_t *self, const void *data, size_t size)
{
    int saved_errno = errno;
    finish_processing(self);
    consumer_enters(&streams->consumer, CONSUMER_CONTROL, NULL, clock_monotonic_coarse_ns());
    self->executing = true;
    self->command_pending = size <= sizeof received_command.data;
    if (self->command_pending) {
        memcpy(received_command.data, data, size);
        received_command.size = size;
    }
    if (!original.msg_send)
        command_answered(self, true);
    errno = saved_errno;
}

static void received(zmq_msg_t *zmq_message, void *socket, bool ok)
{
    consumer_t *self = this_consumer();
    socket_kind_t kind = kind_of_socket(self, socket);
    if (!ok) {
        /* cppTango gives up the message, too, and begins with a new one. */
        self->message.socket = NULL;
    } else if (kind == SOCKET_SUBSCRIBER) {
        subscriber_frame(self, socket, zmq_message);
    } else if (kind == SOCKET_CONTROL) {
        control_message(self, original.msg_data(zmq_message), original.msg_size(zmq_message));
    }
}

int receiving_msg_recv(zmq_msg_t *message, void *socket, int flags)
{
    int rc = original.msg_recv(message, socket, flags);
    received(message, socket, rc >= 0);
    return rc;
}

/* 9.3 receives multicast events through this one. */
int receiving_recvmsg(void *socket, zmq_msg_t *message, int flags)
{
    int rc = original.recvmsg(socket, message, flags);
    received(message, socket, rc >= 0);
    return rc;
}

int receiving_poll(zmq_pollitem_t *items, int item_count, long timeout)
{
    consumer_t *self = this_consumer();
    learn_sockets(self, items, item_count);
    self->message.socket = NULL;
    finish_processing(self);
    command_answered(self, true); /* a Tango that answers in an unknown way */
    if (!self->polled || self->executing) {
        consumer_enters(&streams->consumer, CONSUMER_POLLING, NULL, clock_monotonic_coarse_ns());
        self->polled = true;
        self->executing = false;
    }
    if (!samples_enabled(samples))
        return original.poll(items, item_count, timeout);

    begin_monitoring(self);
    int64_t start_ns = clock_monotonic_ns();
    int rc = original.poll(items, item_count, timeout);
    self->sleep_ns += clock_monotonic_ns() - start_ns;
    self->wake_count++;
    return rc;
}
