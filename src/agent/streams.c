#include "agent/streams.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/clocks.h"
#include "agent/seqlock.h"

void streams_init(streams_t *self)
{
    memset(self, 0, sizeof *self);
    table_init(&self->published, sizeof(stream_t), STREAMS_LIMIT);
    table_init(&self->pushed_topics, sizeof(pushed_topic_t), STREAMS_LIMIT);
    table_init(&self->topics, sizeof(topic_t), STREAMS_LIMIT);
    table_init(&self->channels, sizeof(channel_t), STREAMS_LIMIT);
}

void streams_clear(streams_t *self)
{
    for (table_entry_t *one = atomic_load(&self->published.newest); one; one = one->older)
        free(atomic_load(&((stream_t *)one)->push_times));
    for (table_entry_t *one = atomic_load(&self->topics.newest); one; one = one->older)
        free(atomic_load(&((topic_t *)one)->times));
    table_clear(&self->published);
    table_clear(&self->pushed_topics);
    table_clear(&self->topics);
    table_clear(&self->channels);
    streams_init(self);
}

stream_t *streams_published(streams_t *self, const char *name, size_t length)
{
    return (stream_t *)table_get(&self->published, name, length);
}

/* The first event under a topic; not inlined, so that the others need no room for its name. */
__attribute__((noinline)) static stream_t *new_pushed_topic(streams_t *self, const char *topic,
                                                            size_t length)
{
    if (!wire_is_topic(topic, length) || wire_is_heartbeat(topic, length))
        return NULL;
    char name[WIRE_TOPIC_MAX];
    stream_t *stream = streams_published(self, name, wire_stream_name(topic, length, name));
    if (!stream)
        return NULL;
    pushed_topic_t *added = (pushed_topic_t *)table_get(&self->pushed_topics, topic, length);
    if (added)
        atomic_store_explicit(&added->stream, stream, memory_order_release);
    return stream;
}

stream_t *streams_pushed_as(streams_t *self, const char *topic, size_t length)
{
    pushed_topic_t *known = (pushed_topic_t *)table_find(&self->pushed_topics, topic, length);
    stream_t *stream = known ? atomic_load_explicit(&known->stream, memory_order_acquire) : NULL;
    return stream ? stream : new_pushed_topic(self, topic, length);
}

/* What stands behind "tango://host:port/". */
static const char *behind_host(const char *topic)
{
    const char *host = strstr(topic, "://");
    const char *slash = host ? strchr(host + 3, '/') : NULL;
    return slash ? slash + 1 : topic;
}

/* A device event has no attribute in its name. */
static bool is_device_event(const char *event_name)
{
    static const char name[] = "intr_change";
    size_t length = strlen(event_name);
    return length >= sizeof name - 1 && strcmp(event_name + length - (sizeof name - 1), name) == 0;
}

/*
 * The two names that the event of a device's attribute may have behind the host, in lower case:
 * without a database there is a modifier in it. False if they are too long.
 */
static bool names_behind_host(char names[2][WIRE_TOPIC_MAX + 1], const char *device,
                              const char *attribute, const char *event_name)
{
    static const char *const modifiers[2] = {"", "#dbase=no"};
    if (is_device_event(event_name))
        attribute = "";
    for (size_t i = 0; i < 2; i++) {
        int length = snprintf(names[i], WIRE_TOPIC_MAX + 1, "%s%s%s%s.%s", device,
                              *attribute ? "/" : "", attribute, modifiers[i], event_name);
        if (length < 0 || length > WIRE_TOPIC_MAX)
            return false;
        for (char *p = names[i]; *p; p++)
            *p = (char)tolower((unsigned char)*p);
    }
    return true;
}

void streams_confirmed(streams_t *self, const char *device, const char *attribute,
                       const char *event_name, int64_t now_ns)
{
    /* All streams of a server begin with the same host. */
    const table_entry_t *any = atomic_load_explicit(&self->published.newest, memory_order_acquire);
    char names[2][WIRE_TOPIC_MAX + 1];
    if (!any || !names_behind_host(names, device, attribute, event_name))
        return;
    size_t head = (size_t)(behind_host(any->name) - any->name);
    for (size_t i = 0; i < 2; i++) {
        char topic[2 * (WIRE_TOPIC_MAX + 1)];
        char name[sizeof topic];
        size_t length = strlen(names[i]);
        if (head > WIRE_TOPIC_MAX)
            return;
        memcpy(topic, any->name, head);
        memcpy(topic + head, names[i], length);
        length = wire_stream_name(topic, head + length, name);
        stream_t *stream = (stream_t *)table_find(&self->published, name, length);
        if (stream)
            stream_subscribed(stream, now_ns);
    }
}

topic_t *streams_known_topic(streams_t *self, const char *name, size_t length)
{
    return (topic_t *)table_find(&self->topics, name, length);
}

topic_t *streams_topic(streams_t *self, const char *name, size_t length)
{
    topic_t *topic = streams_known_topic(self, name, length);
    if (topic)
        return topic;
    topic = (topic_t *)table_get(&self->topics, name, length);
    if (topic)
        topic_subscribe(topic);
    return topic;
}

/* ---- orders ---- */

/* The port in "tcp://host:port"; 0 if there is none. */
static uint32_t port_of(const char *endpoint)
{
    const char *colon = strrchr(endpoint, ':');
    unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : 0;
    return port <= 65535 ? (uint32_t)port : 0;
}

static channel_t *channel_of_event_endpoint(streams_t *self, const char *endpoint)
{
    channel_t *found = NULL;
    table_entry_t *entry = atomic_load_explicit(&self->channels.newest, memory_order_acquire);
    for (; entry; entry = entry->older) {
        channel_t *channel = (channel_t *)entry;
        channel_view_t view;
        channel_view(channel, &view);
        if (view.connected && strncmp(view.event_endpoint, endpoint, sizeof view.endpoint - 1) == 0)
            found = channel;
    }
    return found;
}

/*
 * "tango://host:port/a/b/c#dbase=no/attr.change", as cppTango names a stream of a device
 * without a database when it disconnects, is the topic
 * "tango://host:port/a/b/c/attr#dbase=no.change".
 */
static size_t usual_topic(const char *name, char *out, size_t out_size)
{
    static const char no_database[] = "#dbase=no";
    size_t length = strlen(name);
    const char *modifier = strstr(name, no_database);
    const char *dot = strrchr(name, '.');
    if (length >= out_size)
        return 0;
    if (!modifier || !dot || modifier[sizeof no_database - 1] != '/' || dot < modifier) {
        memcpy(out, name, length);
        return length;
    }
    const char *rest = modifier + sizeof no_database - 1;
    size_t head = (size_t)(modifier - name);
    size_t middle = (size_t)(dot - rest);
    size_t tail = length - (size_t)(dot - name);
    char *p = out;
    memcpy(p, name, head);
    p += head;
    memcpy(p, rest, middle);
    p += middle;
    memcpy(p, no_database, sizeof no_database - 1);
    p += sizeof no_database - 1;
    memcpy(p, dot, tail);
    return length;
}

/*
 * The subscribed topic that a DISCONNECT_EVENT means. cppTango composes the name anew from what
 * its client called the device, so host names may differ (an alias, a short name) from the
 * topic's; the port of its event endpoint tells devices of the same name apart.
 */
static topic_t *topic_of_disconnect(streams_t *self, const wire_order_t *order)
{
    const char *name = order->topic;
    uint32_t port = order->endpoint ? port_of(order->endpoint) : 0;
    char usual[WIRE_TOPIC_MAX + 1];
    size_t length = usual_topic(name, usual, sizeof usual);
    if (length == 0)
        return NULL;
    usual[length] = '\0';

    topic_t *topic = (topic_t *)table_find(&self->topics, usual, length);
    if (topic)
        return topic;

    table_entry_t *entry = atomic_load_explicit(&self->topics.newest, memory_order_acquire);
    for (; entry; entry = entry->older) {
        topic_t *candidate = (topic_t *)entry;
        if (atomic_load_explicit(&candidate->subscribed, memory_order_relaxed) &&
            atomic_load_explicit(&candidate->port, memory_order_relaxed) == port &&
            strcmp(behind_host(entry->name), behind_host(usual)) == 0)
            return candidate;
    }
    return NULL;
}

topic_t *streams_find_topic(streams_t *self, const char *device, const char *attribute,
                            const char *event_name)
{
    char wanted[2][WIRE_TOPIC_MAX + 1];
    if (!names_behind_host(wanted, device, attribute, event_name))
        return NULL;
    topic_t *found = NULL;
    bool several = false;
    table_entry_t *entry = atomic_load_explicit(&self->topics.newest, memory_order_acquire);
    for (; entry; entry = entry->older) {
        const char *name = behind_host(entry->name);
        topic_t *topic = (topic_t *)entry;
        if ((strcasecmp(name, wanted[0]) != 0 && strcasecmp(name, wanted[1]) != 0) ||
            !atomic_load_explicit(&topic->subscribed, memory_order_acquire))
            continue;
        if (found) {
            several = true;
            atomic_store_explicit(&found->callbacks_known, false, memory_order_release);
            atomic_store_explicit(&topic->callbacks_known, false, memory_order_release);
        }
        found = topic;
    }
    return several ? NULL : found;
}

static channel_t *channel_of_heartbeat(streams_t *self, const char *topic)
{
    size_t length = strlen(topic);
    if (!wire_is_heartbeat(topic, length))
        return NULL;
    return (channel_t *)table_get(&self->channels, topic, length - strlen(".heartbeat"));
}

topic_t *streams_announce(streams_t *self, const wire_order_t *order, order_origin_t origin,
                          channel_t **channel)
{
    topic_t *topic = NULL;
    switch (order->code) {
    case WIRE_ORDER_CONNECT_HEARTBEAT:
        *channel = channel_of_heartbeat(self, order->topic);
        if (*channel)
            atomic_store(&(*channel)->announced_origin, (int)origin);
        return NULL;
    case WIRE_ORDER_CONNECT_EVENT:
    case WIRE_ORDER_CONNECT_MCAST_EVENT:
        topic = (topic_t *)table_get(&self->topics, order->topic, strlen(order->topic));
        if (topic) {
            atomic_store(&topic->announced_channel, *channel);
            atomic_store(&topic->announced_origin, (int)origin);
        }
        return topic;
    case WIRE_ORDER_DISCONNECT_EVENT:
        topic = topic_of_disconnect(self, order);
        /* Only to be connected again does Tango disconnect a topic whose channel it has just
           connected. */
        if (topic)
            atomic_store(
                &topic->announced_origin,
                (int)(origin == ORDER_OF_RECONNECTION && !*channel ? ORDER_OF_CLIENT : origin));
        return NULL;
    default:
        return NULL;
    }
}

static order_origin_t take_origin(_Atomic int *announced)
{
    return (order_origin_t)atomic_exchange(announced, (int)ORDER_UNKNOWN);
}

static void connect_topic(streams_t *self, const wire_order_t *order, int64_t now_ns)
{
    topic_t *topic = (topic_t *)table_get(&self->topics, order->topic, strlen(order->topic));
    if (!topic)
        return;

    order_origin_t origin = take_origin(&topic->announced_origin);
    bool again =
        origin == ORDER_OF_RECONNECTION ||
        (origin == ORDER_UNKNOWN && atomic_load_explicit(&topic->subscribed, memory_order_relaxed));
    channel_t *channel = atomic_exchange(&topic->announced_channel, NULL);
    if (!channel)
        channel = channel_of_event_endpoint(self, order->endpoint);
    topic_connect(topic, again, port_of(order->endpoint), channel, now_ns);
    if (channel)
        channel_set_event_endpoint(channel, order->endpoint);
}

void streams_heartbeat(streams_t *self, const char *topic, size_t length, int64_t now_ns)
{
    if (!wire_is_heartbeat(topic, length))
        return;
    channel_t *channel =
        (channel_t *)table_find(&self->channels, topic, length - strlen(".heartbeat"));
    if (channel)
        channel_heartbeat(channel, now_ns);
}

void streams_order(streams_t *self, const wire_order_t *order, int64_t now_ns)
{
    channel_t *channel;
    topic_t *topic;
    switch (order->code) {
    case WIRE_ORDER_CONNECT_HEARTBEAT:
        channel = channel_of_heartbeat(self, order->topic);
        if (channel)
            channel_connect(channel, order->endpoint,
                            take_origin(&channel->announced_origin) == ORDER_OF_RECONNECTION ||
                                atomic_load(&channel->connected));
        break;
    case WIRE_ORDER_DISCONNECT_HEARTBEAT:
        channel = channel_of_heartbeat(self, order->topic);
        if (channel)
            atomic_store_explicit(&channel->connected, false, memory_order_release);
        break;
    case WIRE_ORDER_CONNECT_EVENT:
    case WIRE_ORDER_CONNECT_MCAST_EVENT:
        connect_topic(self, order, now_ns);
        break;
    case WIRE_ORDER_DISCONNECT_EVENT:
        topic = topic_of_disconnect(self, order);
        if (topic && take_origin(&topic->announced_origin) != ORDER_OF_RECONNECTION)
            atomic_store_explicit(&topic->subscribed, false, memory_order_release);
        break;
    case WIRE_ORDER_DELAY_EVENT:
        consumer_delay(&self->consumer, true, clock_monotonic_coarse_ns());
        break;
    case WIRE_ORDER_RELEASE_EVENT:
        consumer_delay(&self->consumer, false, clock_monotonic_coarse_ns());
        break;
    default:
        break;
    }
}
