#include "agent/hooks.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "agent/clocks.h"
#include "agent/log.h"
#include "agent/std_string.h"
#include "agent/tango_abi.h"
#include "agent/wire.h"

/* ---- what of ZeroMQ's interface passes through (libzmq 4, zmq.h) ---- */

typedef struct zmq_msg zmq_msg_t; /* opaque here */

typedef struct {
    void *socket;
    int fd;
    short events;
    short revents;
} zmq_pollitem_t;

enum { ZMQ_SNDMORE_FLAG = 2, ZMQ_TYPE_OPTION = 16, ZMQ_SUB_TYPE = 2, ZMQ_REP_TYPE = 4 };

typedef int msg_recv_t(zmq_msg_t *message, void *socket, int flags);
typedef int recvmsg_t(void *socket, zmq_msg_t *message, int flags);
typedef int msg_send_t(zmq_msg_t *message, void *socket, int flags);
typedef int poll_t(zmq_pollitem_t *items, int item_count, long timeout);
typedef void *msg_data_t(zmq_msg_t *message);
typedef size_t msg_size_t(const zmq_msg_t *message);
typedef int getsockopt_t(void *socket, int option, void *value, size_t *size);

/*
 * ZmqEventSupplier::push_event takes 10 arguments besides this; a std::string by value is passed by
 * address, so all are pointers or a bool: one C function stands in for all versions.
 */
typedef void push_event_t(void *self, void *a, void *b, void *c, void *d, void *e, void *f, void *g,
                          void *h, void *i, uintptr_t j);

/*
 * EventConsumer::connect_event(DeviceProxy *, const string &object, EventType, CallBack *,
 * EventQueue *, const vector<string> &filters, string &event_name, int event_id), and from 10.1 on
 * one more argument; passed on to older ones it is a word on the stack that they don't look at.
 */
typedef int connect_event_t(void *self, void *device, const std_string_t *object, int event_type,
                            void *callback, void *queue, void *filters, std_string_t *event_name,
                            uintptr_t event_id, uintptr_t mode);
/* EventConsumer::add_not_connected_event: its first argument differs, by address or as an object in
   memory, that is by address, too. */
typedef void add_not_connected_t(void *self, void *error, void *parameters);
/* EventConsumerKeepAliveThread::stateless_subscription_failed: three references. */
typedef void stateless_failed_t(void *self, void *place, void *error, void *now);
typedef void unsubscribe_event_t(void *self, int event_id);
typedef void init_event_cptr_t(void *self, const std_string_t *name);
/* DServer::event_confirm_subscription(const DevVarStringArray *): device, attribute or pipe, and
   event with its IDL level, of each stream that a client listens to. */
typedef void confirm_subscription_t(void *self, const tango_string_array_t *streams);

/* What the slots held. */
static struct {
    msg_recv_t *msg_recv;
    recvmsg_t *recvmsg;
    msg_send_t *msg_send;
    poll_t *poll;
    push_event_t *push_event;
    init_event_cptr_t *init_event_cptr;
    confirm_subscription_t *confirm_subscription;
    connect_event_t *connect_event;
    add_not_connected_t *add_not_connected;
    stateless_failed_t *stateless_failed;
    unsubscribe_event_t *unsubscribe_event;
    msg_data_t *msg_data;
    msg_size_t *msg_size;
    getsockopt_t *getsockopt;
} original;

static const elf_image_t *libtango;
static std_string_layout_t strings;
static streams_t *streams;
static subscriptions_t *subscriptions;
static samples_t *samples;

/*
 * What a thread remembers from one frame to the next is found without a call in this model. It
 * takes of the room that the loader keeps for libraries that are loaded late, which is little: for
 * what is small and needed for each event only.
 */
#define THREAD_LOCAL static _Thread_local __attribute__((tls_model("initial-exec")))

/* ---- a message, frame by frame ---- */

typedef struct {
    void *socket; /* of the message under way; NULL between messages */
    unsigned frame;
    bool valid; /* so far it looks like an event */
    bool little_endian;
    wire_call_t call;
    uint64_t bytes;
} message_t;

static void message_begin(message_t *self, void *socket)
{
    *self = (message_t){.socket = socket, .valid = true};
}

/* What the frames between topic and data say, which is the same for both directions. */
static void message_frame(message_t *self, zmq_msg_t *zmq_message)
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

/* ---- publishing ---- */

typedef struct {
    message_t message;
    stream_t *stream;
    push_call_t call;
    stream_t *pushed; /* the stream of the event that the call has sent; or NULL */
} publisher_t;

THREAD_LOCAL publisher_t publisher;

/*
 * cppTango sends the frames of one message one after the other from one thread, under a mutex, so
 * the thread can remember where in the message it is. A message of a single frame is no event: an
 * order, its reply, or the "I like beer" that keeps an idle socket clean.
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
        stream_pushed(streams, self->stream, message->call.counter, &self->call, message->bytes,
                      clock_coarse_ns());
        self->pushed = self->stream;
    }
    message->socket = NULL;
}

/* ---- subscribing ---- */

/*
 * What a thread is doing with subscriptions. cppTango brackets what a client asks for (to
 * subscribe, to unsubscribe) by a DELAY_EVENT and a RELEASE_EVENT from the same thread; they nest,
 * since to subscribe calls the client's callback once, which may subscribe to something else.
 */
typedef struct {
    bool connecting;    /* connect_event is under way, or has thrown */
    int event_id;       /* that it was given; 0 or less if Tango makes a new one */
    topic_t *ordered;   /* the topic that the consumer thread was told to connect meanwhile */
    channel_t *channel; /* the channel that it was told to connect */
    subscription_target_t target;
} operation_t;

enum { OPERATIONS = 4 }; /* what is nested deeper shares the last */

typedef struct {
    unsigned depth;
    operation_t operations[OPERATIONS]; /* the first is outside of all brackets */
} subscriber_t;

static pthread_once_t subscriber_once = PTHREAD_ONCE_INIT;
static pthread_key_t subscriber_key;
static bool subscriber_key_made;

static void make_subscriber_key(void)
{
    subscriber_key_made = pthread_key_create(&subscriber_key, free) == 0;
}

/* What this thread is doing with subscriptions; NULL without memory. */
static subscriber_t *this_subscriber(void)
{
    pthread_once(&subscriber_once, make_subscriber_key);
    if (!subscriber_key_made)
        return NULL;
    subscriber_t *self = pthread_getspecific(subscriber_key);
    if (self)
        return self;
    self = calloc(1, sizeof *self);
    if (self && pthread_setspecific(subscriber_key, self) != 0) {
        free(self);
        return NULL;
    }
    return self;
}

static operation_t *current_operation(subscriber_t *self)
{
    return &self->operations[self->depth < OPERATIONS ? self->depth : OPERATIONS - 1];
}

static void operation_begin(operation_t *self)
{
    self->connecting = false;
    self->event_id = 0;
    self->ordered = NULL;
    self->channel = NULL;
}

/* This thread sends an order to the consumer thread, or something else of a single frame. */
static void note_order(const void *data, size_t size)
{
    wire_order_t order;
    if (!wire_read_order(data, size, &order))
        return;
    subscriber_t *self = this_subscriber();
    if (!self)
        return;
    operation_t *operation = current_operation(self);
    if (order.code == WIRE_ORDER_DELAY_EVENT) {
        self->depth++;
        operation_begin(current_operation(self));
    } else if (order.code == WIRE_ORDER_RELEASE_EVENT) {
        /* One with an id of its own is released before what was thrown is dealt with. */
        if (operation->event_id <= 0)
            operation->connecting = false;
        if (self->depth > 0)
            self->depth--;
    } else {
        order_origin_t origin = !original.connect_event ? ORDER_UNKNOWN
                                : operation->connecting ? ORDER_OF_CLIENT
                                                        : ORDER_OF_RECONNECTION;
        topic_t *topic = streams_announce(streams, &order, origin, &operation->channel);
        if (topic)
            operation->ordered = topic;
    }
}

static void copy_string(char *out, size_t size, const std_string_t *string)
{
    size_t length;
    const char *text = std_string_text(strings, string, &length);
    if (length >= size)
        length = size - 1;
    memcpy(out, text, length);
    out[length] = '\0';
}

/* The event's name without its IDL level. */
static void copy_event_type(char *out, size_t size, const std_string_t *event_name)
{
    copy_string(out, size, event_name);
    if (strncmp(out, "idl", 3) == 0 && strchr(out, '_'))
        memmove(out, strchr(out, '_') + 1, strlen(strchr(out, '_')));
}

/*
 * A subscription makes a new topic, which shows in the order that the thread sends; or it adds a
 * callback to a topic that is there, which has to be found by its names. connect_event puts the IDL
 * level into event_name.
 */
static int hook_connect_event(void *self, void *device, const std_string_t *object, int event_type,
                              void *callback, void *queue, void *filters, std_string_t *event_name,
                              uintptr_t event_id, uintptr_t mode)
{
    int saved_errno = errno;
    subscriber_t *subscriber = this_subscriber();
    if (!subscriber) {
        atomic_store(&subscriptions->watched, false); /* we miss this one */
        errno = saved_errno;
        return original.connect_event(self, device, object, event_type, callback, queue, filters,
                                      event_name, event_id, mode);
    }
    operation_t *mine = current_operation(subscriber);
    subscription_target_t *target = &mine->target;
    operation_begin(mine);
    mine->connecting = true;
    mine->event_id = (int)event_id;
    if (mine->event_id > 0)
        subscriptions_tried_again(subscriptions, mine->event_id, clock_realtime_ns());
    target->device[0] = '\0';
    tango_device_name(libtango, device, target->device, sizeof target->device);
    copy_string(target->attribute, sizeof target->attribute, object);
    copy_event_type(target->event_type, sizeof target->event_type, event_name);
    errno = saved_errno;

    int id = original.connect_event(self, device, object, event_type, callback, queue, filters,
                                    event_name, event_id, mode);

    saved_errno = errno;
    mine->connecting = false;
    topic_t *topic = mine->ordered;
    if (!topic) {
        char name[sizeof target->event_type];
        copy_string(name, sizeof name, event_name);
        topic = streams_find_topic(streams, target->device, target->attribute, name);
    }
    /* From 10.3 on the id is always given, and what comes back isn't one. */
    if (topic)
        subscriptions_connected(subscriptions, mine->event_id > 0 ? mine->event_id : id, topic);
    errno = saved_errno;
    return id;
}

/*
 * The connect_event of this thread has thrown, and Tango keeps the subscription to try again. False
 * if there was none.
 */
static bool note_not_connected(void)
{
    subscriber_t *subscriber = this_subscriber();
    if (!subscriber)
        return false;
    operation_t *operation = current_operation(subscriber);
    if (!operation->connecting && subscriber->depth + 1 < OPERATIONS)
        operation = &subscriber->operations[subscriber->depth + 1]; /* released already */
    if (!operation->connecting)
        return false;
    int id = operation->event_id > 0 ? operation->event_id : tango_newest_event_id(libtango);
    if (id > 0)
        subscriptions_not_connected(subscriptions, id, &operation->target, clock_realtime_ns());
    operation->connecting = false;
    return true;
}

/*
 * From 10.1 on a client can ask Tango not even to try at once; what it wants then isn't known here,
 * so that the list isn't complete any more.
 */
static void hook_add_not_connected(void *self, void *error, void *parameters)
{
    int saved_errno = errno;
    if (!note_not_connected())
        atomic_store(&subscriptions->watched, false);
    errno = saved_errno;
    original.add_not_connected(self, error, parameters);
}

/* Up to 10.0, a subscription that fails at once comes here instead. */
static void hook_stateless_failed(void *self, void *place, void *error, void *now)
{
    int saved_errno = errno;
    note_not_connected();
    errno = saved_errno;
    original.stateless_failed(self, place, error, now);
}

static void hook_unsubscribe_event(void *self, int event_id)
{
    original.unsubscribe_event(self, event_id); /* throws if there is no such subscription */
    int saved_errno = errno;
    subscriptions_removed(subscriptions, event_id);
    errno = saved_errno;
}

/*
 * On an event's way nothing is called that may set errno (memory is asked for only for what is new,
 * and that keeps it): to save it in every hook would cost as much as the counting.
 */
static int hook_msg_send(zmq_msg_t *zmq_message, void *socket, int flags)
{
    bool more = flags & ZMQ_SNDMORE_FLAG;
    publisher_t *self = &publisher;
    /* Before it is sent: after that, its content is ZeroMQ's. */
    if (more || self->message.socket) {
        publish_frame(self, zmq_message, socket, more);
    } else {
        int saved_errno = errno;
        note_order(original.msg_data(zmq_message), original.msg_size(zmq_message));
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

static void hook_push_event(void *self, void *a, void *b, void *c, void *d, void *e, void *f,
                            void *g, void *h, void *i, uintptr_t j)
{
    publisher.call = (push_call_t){.watched = true, .counts = j & 1}; /* inc_cptr, a bool */
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

static void hook_init_event_cptr(void *self, const std_string_t *name)
{
    original.init_event_cptr(self, name);
    int saved_errno = errno;
    size_t length;
    const char *text = std_string_text(strings, name, &length);
    stream_t *stream = streams_published(streams, text, length);
    if (stream)
        stream_subscribed(stream, clock_realtime_ns());
    errno = saved_errno;
}

static void hook_confirm_subscription(void *self, const tango_string_array_t *listened)
{
    original.confirm_subscription(self, listened); /* throws if there is no such device */
    int saved_errno = errno;
    int64_t now_ns = clock_realtime_ns();
    for (uint32_t i = 0; i + 2 < listened->length; i += 3)
        streams_confirmed(streams, listened->texts[i], listened->texts[i + 1],
                          listened->texts[i + 2], now_ns);
    errno = saved_errno;
}

/* ---- receiving ---- */

typedef struct {
    /* The consumer thread's sockets; NULL in every other thread, and until it polls. */
    void *control;
    void *heartbeats;
    void *events;

    message_t message;
    topic_t *topic;

    /* Monitoring. */
    uint32_t generation;
    int64_t last_event_ns; /* when the event before was received; monotonic */
    int64_t sleep_ns;      /* in poll since the event before */
    int64_t wake_count;
    bool polled;         /* this is the consumer thread */
    bool serving_order;  /* the last that it received was an order */
    bool in_callbacks;   /* an event is being processed */
    bool processing;     /* and sampled */
    int64_t received_ns; /* since when */
    receive_sample_t sample;
} consumer_t;

THREAD_LOCAL consumer_t consumer;

/*
 * The consumer thread polls its order socket, its heartbeat socket and its event socket, in this
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
 * that hasn't polled since the agent came, are told by their type; nobody but the consumer thread
 * has SUB or REP sockets in libtango.
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

/* Monitoring was started anew: what is remembered is from before. */
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
        const char *name = wire_attribute_name(topic, topic_length, &length);
        memcpy(sample->attr_name, name, length < SAMPLE_NAME_SIZE ? length : SAMPLE_NAME_SIZE - 1);
    }
    sample->since_last_ns = self->last_event_ns ? now_ns - self->last_event_ns : SAMPLE_UNKNOWN;
    sample->sleep_ns = self->sleep_ns;
    sample->wake_count = self->wake_count;
    int64_t callbacks = topic_callback_count(self->topic);
    if (discarded)
        callbacks = 0;
    sample->callback_count = callbacks == TOPIC_CALLBACKS_UNKNOWN ? SAMPLE_UNKNOWN : callbacks;
    sample->kind_and_discarded =
        (int64_t)wire_event_kind(topic, topic_length) * 2 + (discarded ? 1 : 0);
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
    topic_result_t result =
        topic_received(self->topic, message->call.counter, message->bytes, clock_coarse_ns());
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
    if (self->topic)
        return;
    self->message.valid = wire_is_topic(data, size);
    if (self->message.valid && socket == self->heartbeats)
        streams_heartbeat(streams, data, size, clock_coarse_ns());
    else if (self->message.valid && !wire_is_heartbeat(data, size))
        self->topic = streams_topic(streams, data, size);
}

/*
 * One frame has come on a SUB socket. A heartbeat has three frames, an event four: cppTango itself
 * counts on that.
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
    consumer_enters(&streams->consumer, CONSUMER_ORDER, NULL, clock_monotonic_coarse_ns());
    self->serving_order = true;
    wire_order_t order;
    if (wire_read_order(data, size, &order))
        streams_order(streams, &order, clock_realtime_ns());
    else
        log_line(LOG_DEBUG, "an order to the consumer thread of %zu bytes can't be read", size);
    errno = saved_errno;
}

static void received(zmq_msg_t *zmq_message, void *socket, bool ok)
{
    consumer_t *self = &consumer;
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

static int hook_msg_recv(zmq_msg_t *message, void *socket, int flags)
{
    int rc = original.msg_recv(message, socket, flags);
    received(message, socket, rc >= 0);
    return rc;
}

/* 9.3 receives multicast events through this one. */
static int hook_recvmsg(void *socket, zmq_msg_t *message, int flags)
{
    int rc = original.recvmsg(socket, message, flags);
    received(message, socket, rc >= 0);
    return rc;
}

static int hook_poll(zmq_pollitem_t *items, int item_count, long timeout)
{
    consumer_t *self = &consumer;
    learn_sockets(self, items, item_count);
    self->message.socket = NULL;
    finish_processing(self);
    if (!self->polled || self->serving_order) {
        consumer_enters(&streams->consumer, CONSUMER_POLLING, NULL, clock_monotonic_coarse_ns());
        self->polled = true;
        self->serving_order = false;
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

/* ---- installation ---- */

/* One function to hook, and what isn't watched when libtango has no slot for it; NULL: that doesn't
   matter. */
typedef struct {
    elf_hook_t hook;
    const char *purpose;
} planned_hook_t;

/* Stands in the plan for what is in the mangled name of a function that takes a std::string. */
static const char a_string[] = "";

/* And this is what that is, by the string's layout. */
static const char *const string_names[] = {[STD_STRING_NEW] = "__cxx11", [STD_STRING_OLD] = "Ss"};

static const planned_hook_t plan[] = {
    {{"zmq_msg_recv", false, (void *)hook_msg_recv, (void **)&original.msg_recv, NULL},
     "received events"},
    {{"zmq_msg_send", false, (void *)hook_msg_send, (void **)&original.msg_send, NULL},
     "pushed events"},
    {{"zmq_poll", false, (void *)hook_poll, (void **)&original.poll, NULL}, "subscriptions"},
    {{"zmq_recvmsg", false, (void *)hook_recvmsg, (void **)&original.recvmsg, NULL}, NULL},
    {{"_ZN5Tango16ZmqEventSupplier10push_eventEPNS_10DeviceImpl", true, (void *)hook_push_event,
      (void **)&original.push_event, NULL},
     "the time that pushing takes"},
    {{"_ZN5Tango16ZmqEventSupplier15init_event_cptr", true, (void *)hook_init_event_cptr,
      (void **)&original.init_event_cptr, a_string},
     "streams before their first event"},
    {{"_ZN5Tango7DServer26event_confirm_subscriptionEPKNS_17DevVarStringArrayE", false,
      (void *)hook_confirm_subscription, (void **)&original.confirm_subscription, NULL},
     "clients that still listen"},
    {{"_ZN5Tango13EventConsumer13connect_eventEPNS_11DeviceProxy", true, (void *)hook_connect_event,
      (void **)&original.connect_event, a_string},
     "callbacks"},
    {{"_ZN5Tango13EventConsumer23add_not_connected_event", true, (void *)hook_add_not_connected,
      (void **)&original.add_not_connected, NULL},
     "subscriptions that are not connected"},
    {{"_ZN5Tango28EventConsumerKeepAliveThread29stateless_subscription_failed", true,
      (void *)hook_stateless_failed, (void **)&original.stateless_failed, NULL},
     NULL},
    {{"_ZN5Tango13EventConsumer17unsubscribe_eventEi", false, (void *)hook_unsubscribe_event,
      (void **)&original.unsubscribe_event, NULL},
     "callbacks that are gone"},
};

enum { PLAN_SIZE = sizeof plan / sizeof *plan };

bool hooks_install(const elf_image_t *the_libtango, streams_t *the_streams,
                   subscriptions_t *the_subscriptions, samples_t *the_samples)
{
    libtango = the_libtango;
    streams = the_streams;
    subscriptions = the_subscriptions;
    samples = the_samples;

    original.msg_data = (msg_data_t *)elf_image_imported(libtango, "zmq_msg_data");
    original.msg_size = (msg_size_t *)elf_image_imported(libtango, "zmq_msg_size");
    original.getsockopt = (getsockopt_t *)elf_image_imported(libtango, "zmq_getsockopt");
    if (!original.msg_data || !original.msg_size) {
        log_line(LOG_ERROR,
                 "%s doesn't import zmq_msg_data and zmq_msg_size; its events aren't watched",
                 libtango->path);
        return false;
    }

    elf_hook_t hooks[PLAN_SIZE];
    strings = tango_string_layout(libtango);
    for (size_t i = 0; i < PLAN_SIZE; i++) {
        hooks[i] = plan[i].hook;
        if (hooks[i].must_contain == a_string)
            hooks[i].must_contain = string_names[strings];
    }
    int written = elf_image_hook(libtango, hooks, PLAN_SIZE);
    if (written < 0)
        log_line(LOG_ERROR, "slots of %s can't be written; not all events are watched",
                 libtango->path);
    for (size_t i = 0; i < PLAN_SIZE; i++) {
        if (!*hooks[i].original && plan[i].purpose)
            log_line(LOG_ERROR, "%s has no slot for %s; %s are not watched", libtango->path,
                     hooks[i].symbol, plan[i].purpose);
    }
    atomic_store(&subscriptions->watched, original.connect_event && original.add_not_connected &&
                                              original.unsubscribe_event);
    log_line(LOG_DEBUG, "%d slots of %s hooked", written, libtango->path);
    return written != 0;
}
