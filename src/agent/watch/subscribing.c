#include "agent/watch/subscribing.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "agent/counts/counts.h"
#include "agent/platform/clocks.h"
#include "agent/platform/std_string.h"
#include "agent/tango/topic_name.h"
#include "agent/tango/wire.h"
#include "agent/watch/original.h"

static streams_t *const streams = &agent_counts.streams;
static subscriptions_t *const subscriptions = &agent_counts.subscriptions;

static void (*_Atomic begin_first)(void);

void subscribing_begins_with(void (*begin)(void))
{
    atomic_store(&begin_first, begin);
}

static void begin_subscribing(void)
{
    void (*begin)(void) = atomic_load(&begin_first);
    if (begin)
        begin();
}

/*
 * What a thread is doing with subscriptions. cppTango brackets a client's request (to subscribe, to
 * unsubscribe) with a DELAY_EVENT and a RELEASE_EVENT from the same thread; they nest, since
 * subscribing calls the client's callback once, which may subscribe to something else.
 */
typedef struct {
    bool connecting;    /* connect_event or the like is under way, or has thrown */
    int event_id;       /* that it was given; 0 or less if Tango makes a new one */
    topic_t *topic;     /* the topic that the consumer thread was told to connect meanwhile */
    channel_t *channel; /* the channel that it was told to connect */
    subscription_target_t target;
} operation_t;

enum { OPERATIONS = 16 }; /* deeper nesting shares the last one, and isn't known any more */

typedef struct {
    uint32_t epoch;
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
    uint32_t epoch = original_epoch();
    if (self && self->epoch != epoch) {
        memset(self, 0, sizeof *self);
        self->epoch = epoch;
    }
    if (self)
        return self;
    self = calloc(1, sizeof *self);
    if (self)
        self->epoch = epoch;
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
    self->topic = NULL;
    self->channel = NULL;
}

void subscribing_command(const void *data, size_t size)
{
    wire_control_t command;
    if (!wire_read_control(data, size, &command))
        return;
    subscriber_t *self = this_subscriber();
    if (!self)
        return;
    operation_t *operation = current_operation(self);
    if (command.code == WIRE_CONTROL_DELAY_EVENT) {
        if (++self->depth >= OPERATIONS)
            atomic_store(&subscriptions->watched, false);
        operation_begin(current_operation(self));
    } else if (command.code == WIRE_CONTROL_RELEASE_EVENT) {
        /* One with an id of its own is released before the exception is handled. */
        if (operation->event_id <= 0)
            operation->connecting = false;
        if (self->depth > 0)
            self->depth--;
    } else {
        /* If connect_event isn't watched, the brackets show it: reconnections have none. */
        bool of_client = original.connect_event ? operation->connecting : self->depth > 0;
        control_origin_t origin = of_client ? CONTROL_OF_CLIENT : CONTROL_OF_RECONNECTION;
        topic_t *topic = streams_announce(streams, &command, origin, &operation->channel);
        if (topic)
            operation->topic = topic;
    }
}

static void copy_string(char *out, size_t size, const std_string_t *string)
{
    size_t length;
    const char *text = std_string_text(original.strings, string, &length);
    if (length >= size)
        length = size - 1;
    memcpy(out, text, length);
    out[length] = '\0';
}

/* The event's name without its IDL level. */
static void copy_event_type(char *out, size_t size, const std_string_t *event_name)
{
    copy_string(out, size, event_name);
    const char *type = topic_name_event_type(out);
    memmove(out, type, strlen(type) + 1);
}

static void begin_connecting(operation_t *self, void *device, const std_string_t *object,
                             const std_string_t *event_name, uintptr_t event_id)
{
    subscription_target_t *target = &self->target;
    operation_begin(self);
    self->connecting = true;
    self->event_id = (int)event_id;
    target->device[0] = '\0';
    libtango_device_name(original.libtango, device, target->device, sizeof target->device);
    copy_string(target->attribute, sizeof target->attribute, object);
    copy_event_type(target->event_type, sizeof target->event_type, event_name);
}

/*
 * A subscription creates a new topic, which shows in the control command that the thread sends; or
 * it adds a callback to an existing topic, which has to be found by its names. connect_event puts
 * the IDL level into event_name.
 */
int subscribing_connect_event(void *self, void *device, const std_string_t *object, int event_type,
                              void *callback, void *queue, void *filters, std_string_t *event_name,
                              uintptr_t event_id, uintptr_t mode)
{
    int saved_errno = errno;
    begin_subscribing();
    subscriber_t *subscriber = this_subscriber();
    if (!subscriber) {
        atomic_store(&subscriptions->watched, false); /* we miss this one */
        errno = saved_errno;
        return original.connect_event(self, device, object, event_type, callback, queue, filters,
                                      event_name, event_id, mode);
    }
    operation_t *mine = current_operation(subscriber);
    const subscription_target_t *target = &mine->target;
    begin_connecting(mine, device, object, event_name, event_id);
    if (mine->event_id > 0)
        subscriptions_tried_again(subscriptions, mine->event_id, clock_realtime_ns());
    errno = saved_errno;

    int id = original.connect_event(self, device, object, event_type, callback, queue, filters,
                                    event_name, event_id, mode);

    saved_errno = errno;
    mine->connecting = false;
    topic_t *topic = mine->topic;
    if (!topic) {
        char name[sizeof target->event_type];
        copy_string(name, sizeof name, event_name);
        topic = streams_find_topic(streams, target->device, target->attribute, name);
    }
    /* From 10.3 on the id is always given, and the result isn't one. */
    if (topic)
        subscriptions_connected(subscriptions, mine->event_id > 0 ? mine->event_id : id, topic);
    errno = saved_errno;
    return id;
}

/*
 * The connect_event of this thread has thrown, and Tango keeps the subscription to retry it. False
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
    int id =
        operation->event_id > 0 ? operation->event_id : libtango_newest_event_id(original.libtango);
    if (id > 0)
        subscriptions_not_connected(subscriptions, id, &operation->target, clock_realtime_ns());
    operation->connecting = false;
    return true;
}

/*
 * A subscription of a client that doesn't want to wait is not connected yet, whatever this thread
 * tried before; the keep-alive thread passes the same id when it connects it.
 */
void subscribing_async_subscription(void *self, void *device, const std_string_t *object,
                                    int event_type, void *callback, void *queue,
                                    std_string_t *event_name, uintptr_t event_id, uintptr_t mode)
{
    int saved_errno = errno;
    begin_subscribing();
    subscriber_t *subscriber = this_subscriber();
    if (subscriber)
        begin_connecting(current_operation(subscriber), device, object, event_name, event_id);
    errno = saved_errno;
    original.async_subscription(self, device, object, event_type, callback, queue, event_name,
                                event_id, mode);
}

/* Its origin isn't known, so the list isn't complete any more. */
void subscribing_add_not_connected(void *self, void *error, void *parameters)
{
    int saved_errno = errno;
    if (!note_not_connected())
        atomic_store(&subscriptions->watched, false);
    errno = saved_errno;
    original.add_not_connected(self, error, parameters);
}

/* Up to 10.0, a subscription that fails at once comes here instead. */
void subscribing_stateless_failed(void *self, void *place, void *error, void *now)
{
    int saved_errno = errno;
    note_not_connected();
    errno = saved_errno;
    original.stateless_failed(self, place, error, now);
}

void subscribing_unsubscribe_event(void *self, int event_id)
{
    original.unsubscribe_event(self, event_id); /* throws if there is no such subscription */
    int saved_errno = errno;
    subscriptions_removed(subscriptions, event_id);
    errno = saved_errno;
}
