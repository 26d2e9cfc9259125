#include "agent/counts/streams.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/counts/seqlock.h"
#include "agent/platform/clocks.h"
#include "agent/tango/topic_name.h"

void streams_init(streams_t *self)
{
    memset(self, 0, sizeof *self);
    table_init(&self->published.streams, sizeof(stream_t), STREAMS_LIMIT);
    table_init(&self->pushed_topics, sizeof(pushed_topic_t), STREAMS_LIMIT);
    table_init(&self->topics, sizeof(topic_t), STREAMS_LIMIT);
    table_init(&self->channels, sizeof(channel_t), STREAMS_LIMIT);
}

void streams_join_late(streams_t *self)
{
    atomic_store(&self->published.joined_late, true);
    for (table_entry_t *one = atomic_load(&self->topics.newest); one; one = one->older)
        topic_forget((topic_t *)one);
    for (table_entry_t *one = atomic_load(&self->channels.newest); one; one = one->older)
        channel_forget((channel_t *)one);
    for (table_entry_t *one = atomic_load(&self->published.streams.newest); one; one = one->older)
        stream_forget((stream_t *)one);
    consumer_forget(&self->consumer);
    atomic_store(&self->unknown_topic_count, 0);
}

void streams_clear(streams_t *self)
{
    for (table_entry_t *one = atomic_load(&self->published.streams.newest); one; one = one->older)
        free(atomic_load(&((stream_t *)one)->push_times));
    for (table_entry_t *one = atomic_load(&self->topics.newest); one; one = one->older)
        free(atomic_load(&((topic_t *)one)->times));
    table_clear(&self->published.streams);
    table_clear(&self->pushed_topics);
    table_clear(&self->topics);
    table_clear(&self->channels);
    streams_init(self);
}

stream_t *streams_published(streams_t *self, const char *name, size_t length)
{
    return (stream_t *)table_get(&self->published.streams, name, length);
}

/* The first event under a topic; not inlined, so that the others need no stack for its name. */
__attribute__((noinline)) static stream_t *new_pushed_topic(streams_t *self, const char *topic,
                                                            size_t length)
{
    if (!topic_name_is_valid(topic, length) || topic_name_is_heartbeat(topic, length))
        return NULL;
    char name[TOPIC_NAME_MAX];
    stream_t *stream = streams_published(self, name, topic_name_stream(topic, length, name));
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

/* The length of "tango://host:port/" in an entry's name. */
static size_t host_length(const table_entry_t *entry)
{
    return topic_name_host_length(entry->name, entry->name_length);
}

void streams_confirmed(streams_t *self, const char *device, const char *attribute,
                       const char *event_name, int64_t now_ns)
{
    /* All streams of a server begin with the same host. */
    const table_entry_t *any =
        atomic_load_explicit(&self->published.streams.newest, memory_order_acquire);
    char names[2][TOPIC_NAME_MAX + 1];
    if (!any || !topic_name_compose(names, device, attribute, event_name))
        return;
    size_t head = host_length(any);
    for (size_t i = 0; i < 2; i++) {
        char topic[2 * (TOPIC_NAME_MAX + 1)];
        char name[sizeof topic];
        size_t length = strlen(names[i]);
        if (head > TOPIC_NAME_MAX)
            return;
        memcpy(topic, any->name, head);
        memcpy(topic + head, names[i], length);
        length = topic_name_stream(topic, head + length, name);
        stream_t *stream = (stream_t *)table_find(&self->published.streams, name, length);
        if (stream)
            stream_subscribed(stream, &self->published, now_ns);
    }
}

topic_t *streams_known_topic(streams_t *self, const char *name, size_t length)
{
    return (topic_t *)table_find(&self->topics, name, length);
}

static bool is_subscribed(topic_t *topic)
{
    return atomic_load_explicit(&topic->subscribed, memory_order_relaxed);
}

/* Whether there may be subscriptions that the agent hasn't seen being made. */
static bool may_be_older(streams_t *self)
{
    return !self->client_connected ||
           atomic_load_explicit(&self->published.joined_late, memory_order_relaxed);
}

/* A topic that was subscribed before the agent watched, unless the name is made up. */
static topic_t *adopt(streams_t *self, const char *name, size_t length)
{
    topic_t *topic = streams_known_topic(self, name, length);
    if (!topic) {
        if (!may_be_older(self) || self->adopted_count >= STREAMS_ADOPTED_LIMIT ||
            topic_name_is_heartbeat(name, length) || !topic_name_is_subscribed(name, length))
            return NULL;
        topic = (topic_t *)table_get(&self->topics, name, length);
        if (!topic)
            return NULL;
        self->adopted_count++;
    }
    topic_adopt(topic);
    return topic;
}

/* Remembers the host of a topic that is subscribed to. */
static void note_host(streams_t *self, const table_entry_t *topic)
{
    size_t length = host_length(topic);
    for (size_t i = 0; i < self->host_count; i++)
        if (self->hosts[i].length == length &&
            memcmp(self->hosts[i].topic->name, topic->name, length) == 0)
            return;
    if (self->host_count < STREAMS_HOSTS)
        self->hosts[self->host_count++] = (streams_host_t){topic, length};
}

/* The only subscribed topic with the same name except for its host; NULL if there isn't exactly
 * one. */
static topic_t *topic_of_another_host(streams_t *self, const char *name, size_t length)
{
    size_t own_host = topic_name_host_length(name, length);
    size_t rest = length - own_host;
    topic_t *found = NULL;
    for (size_t i = 0; own_host > 0 && i < self->host_count; i++) {
        char other[2 * (TOPIC_NAME_MAX + 1)];
        const streams_host_t *host = &self->hosts[i];
        memcpy(other, host->topic->name, host->length);
        memcpy(other + host->length, name + own_host, rest);
        topic_t *topic = streams_known_topic(self, other, host->length + rest);
        if (!topic || !is_subscribed(topic))
            continue;
        if (found)
            return NULL;
        found = topic;
    }
    return found;
}

topic_t *streams_topic(streams_t *self, const char *name, size_t length)
{
    topic_t *topic = streams_known_topic(self, name, length);
    bool forgotten = topic && topic_is_forgotten(topic);
    if (topic && !forgotten)
        return topic;
    topic = NULL;
    if (!forgotten && self->several_hosts && !topic_name_has_no_database(name, length))
        topic = topic_of_another_host(self, name, length);
    if (!topic)
        topic = adopt(self, name, length);
    if (!topic)
        atomic_fetch_add_explicit(&self->unknown_topic_count, 1, memory_order_relaxed);
    return topic;
}

/* ---- control commands ---- */

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
 * The subscribed topic that a DISCONNECT_EVENT means. cppTango composes the name again from the
 * client's name of the device, so host names may differ (an alias, a short name) from the topic's;
 * the port of its event endpoint distinguishes devices of the same name.
 */
static topic_t *topic_of_disconnect(streams_t *self, const wire_control_t *command)
{
    const char *name = command->topic;
    uint32_t port = command->endpoint ? port_of(command->endpoint) : 0;
    char usual[TOPIC_NAME_MAX + 1];
    size_t length = strlen(name);
    if (!topic_name_of_disconnect(name, length, usual))
        return NULL;

    topic_t *topic = (topic_t *)table_find(&self->topics, usual, length);
    if (topic)
        return topic;

    const char *behind_host = usual + topic_name_host_length(usual, length);
    table_entry_t *entry = atomic_load_explicit(&self->topics.newest, memory_order_acquire);
    for (; entry; entry = entry->older) {
        topic_t *candidate = (topic_t *)entry;
        if (atomic_load_explicit(&candidate->subscribed, memory_order_relaxed) &&
            atomic_load_explicit(&candidate->port, memory_order_relaxed) == port &&
            strcmp(entry->name + host_length(entry), behind_host) == 0)
            return candidate;
    }
    return NULL;
}

topic_t *streams_find_topic(streams_t *self, const char *device, const char *attribute,
                            const char *event_name)
{
    char wanted[2][TOPIC_NAME_MAX + 1];
    if (!topic_name_compose(wanted, device, attribute, event_name))
        return NULL;
    topic_t *found = NULL;
    bool several = false;
    table_entry_t *entry = atomic_load_explicit(&self->topics.newest, memory_order_acquire);
    for (; entry; entry = entry->older) {
        const char *name = entry->name + host_length(entry);
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
    size_t length;
    if (!topic_name_channel(topic, strlen(topic), &length))
        return NULL;
    return (channel_t *)table_get(&self->channels, topic, length);
}

topic_t *streams_announce(streams_t *self, const wire_control_t *command, control_origin_t origin,
                          channel_t **channel)
{
    topic_t *topic = NULL;
    switch (command->code) {
    case WIRE_CONTROL_CONNECT_HEARTBEAT:
        *channel = channel_of_heartbeat(self, command->topic);
        if (*channel)
            atomic_store(&(*channel)->announced_origin, (int)origin);
        return NULL;
    case WIRE_CONTROL_CONNECT_EVENT:
    case WIRE_CONTROL_CONNECT_MCAST_EVENT:
        topic = (topic_t *)table_get(&self->topics, command->topic, strlen(command->topic));
        if (topic) {
            atomic_store(&topic->announced_channel, *channel);
            atomic_store(&topic->announced_origin, (int)origin);
        }
        return topic;
    case WIRE_CONTROL_DISCONNECT_EVENT:
        topic = topic_of_disconnect(self, command);
        /* Tango disconnects a topic whose channel it has just connected only to reconnect it. */
        if (topic)
            atomic_store(
                &topic->announced_origin,
                (int)(origin == CONTROL_OF_RECONNECTION && !*channel ? CONTROL_OF_CLIENT : origin));
        return NULL;
    default:
        return NULL;
    }
}

static control_origin_t take_origin(_Atomic int *announced)
{
    return (control_origin_t)atomic_exchange(announced, (int)CONTROL_UNKNOWN);
}

static void connect_topic(streams_t *self, const wire_control_t *command, int64_t now_ns)
{
    topic_t *topic = (topic_t *)table_get(&self->topics, command->topic, strlen(command->topic));
    if (!topic)
        return;

    control_origin_t origin = take_origin(&topic->announced_origin);
    if (origin != CONTROL_OF_RECONNECTION)
        self->client_connected = true;
    bool again = origin == CONTROL_OF_RECONNECTION ||
                 (origin == CONTROL_UNKNOWN &&
                  atomic_load_explicit(&topic->subscribed, memory_order_relaxed));
    channel_t *channel = atomic_exchange(&topic->announced_channel, NULL);
    if (!channel)
        channel = channel_of_event_endpoint(self, command->endpoint);
    topic_connect(topic, again, port_of(command->endpoint), channel, now_ns);
    if (origin == CONTROL_UNKNOWN) /* its sender was there before the agent */
        topic_callbacks_unknown(topic);
    if (self->several_hosts)
        note_host(self, &topic->entry);
    if (channel)
        channel_set_event_endpoint(channel, command->endpoint);
}

static channel_t *adopt_channel(streams_t *self, const char *topic, size_t topic_length,
                                size_t length)
{
    channel_t *channel = (channel_t *)table_find(&self->channels, topic, length);
    if (!channel) {
        if (!atomic_load_explicit(&self->published.joined_late, memory_order_relaxed) ||
            self->adopted_channel_count >= STREAMS_ADOPTED_LIMIT ||
            !topic_name_is_subscribed(topic, topic_length))
            return NULL;
        channel = (channel_t *)table_get(&self->channels, topic, length);
        if (!channel)
            return NULL;
        self->adopted_channel_count++;
    }
    channel_adopt(channel);
    return channel;
}

void streams_heartbeat(streams_t *self, const char *topic, size_t topic_length, int64_t now_ns,
                       int64_t monotonic_ns)
{
    size_t length;
    if (!topic_name_channel(topic, topic_length, &length))
        return;
    channel_t *channel = (channel_t *)table_find(&self->channels, topic, length);
    if (!channel || channel_is_forgotten(channel))
        channel = adopt_channel(self, topic, topic_length, length);
    if (channel)
        channel_heartbeat(channel, now_ns, monotonic_ns);
}

void streams_refused(streams_t *self, const wire_control_t *command)
{
    if (command->code == WIRE_CONTROL_CONNECT_HEARTBEAT) {
        channel_t *channel = channel_of_heartbeat(self, command->topic);
        if (channel)
            take_origin(&channel->announced_origin);
    } else if (command->topic) {
        topic_t *topic = command->code == WIRE_CONTROL_DISCONNECT_EVENT
                             ? topic_of_disconnect(self, command)
                             : streams_known_topic(self, command->topic, strlen(command->topic));
        if (topic) {
            take_origin(&topic->announced_origin);
            atomic_store(&topic->announced_channel, NULL);
        }
    }
}

void streams_executed(streams_t *self, const wire_control_t *command, int64_t now_ns)
{
    channel_t *channel;
    topic_t *topic;
    switch (command->code) {
    case WIRE_CONTROL_CONNECT_HEARTBEAT:
        channel = channel_of_heartbeat(self, command->topic);
        if (channel)
            channel_connect(channel, command->endpoint,
                            take_origin(&channel->announced_origin) == CONTROL_OF_RECONNECTION ||
                                atomic_load(&channel->connected));
        break;
    case WIRE_CONTROL_DISCONNECT_HEARTBEAT:
        channel = channel_of_heartbeat(self, command->topic);
        if (channel)
            atomic_store_explicit(&channel->connected, false, memory_order_release);
        break;
    case WIRE_CONTROL_CONNECT_EVENT:
    case WIRE_CONTROL_CONNECT_MCAST_EVENT:
        connect_topic(self, command, now_ns);
        break;
    case WIRE_CONTROL_DISCONNECT_EVENT:
        topic = topic_of_disconnect(self, command);
        if (topic && take_origin(&topic->announced_origin) != CONTROL_OF_RECONNECTION)
            atomic_store_explicit(&topic->subscribed, false, memory_order_release);
        break;
    case WIRE_CONTROL_DELAY_EVENT:
        consumer_delay(&self->consumer, true, clock_monotonic_coarse_ns());
        break;
    case WIRE_CONTROL_RELEASE_EVENT:
        consumer_delay(&self->consumer, false, clock_monotonic_coarse_ns());
        break;
    default:
        break;
    }
}
