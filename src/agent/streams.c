#include "agent/streams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/clocks.h"

/*
 * The sequence lock of an entry: odd while its one writer is at work. All fields are atomic; they
 * are stored with release and loaded with acquire, which orders them against the sequence without
 * fences (plain moves on x86-64). A reader that meets a writer tries again; after many tries it
 * takes what it has, each number whole by itself: a query must end, whatever the load.
 */
enum { READ_TRIES = 100000 };

static void write_begin(_Atomic uint32_t *sequence)
{
    uint32_t now = atomic_load_explicit(sequence, memory_order_relaxed);
    atomic_store_explicit(sequence, now + 1, memory_order_relaxed);
}

static void write_end(_Atomic uint32_t *sequence)
{
    uint32_t now = atomic_load_explicit(sequence, memory_order_relaxed);
    atomic_store_explicit(sequence, now + 1, memory_order_release);
}

static uint32_t read_begin(_Atomic uint32_t *sequence)
{
    return atomic_load_explicit(sequence, memory_order_acquire);
}

static bool read_again(_Atomic uint32_t *sequence, uint32_t begun, int *tries)
{
    bool whole = !(begun & 1) && atomic_load_explicit(sequence, memory_order_relaxed) == begun;
    return !whole && ++*tries < READ_TRIES;
}

static void add(_Atomic uint64_t *number, uint64_t more)
{
    uint64_t now = atomic_load_explicit(number, memory_order_relaxed);
    atomic_store_explicit(number, now + more, memory_order_release);
}

static void set_count(_Atomic uint64_t *number, uint64_t value)
{
    atomic_store_explicit(number, value, memory_order_release);
}

static uint64_t get_count(_Atomic uint64_t *number)
{
    return atomic_load_explicit(number, memory_order_acquire);
}

static void set_time(_Atomic int64_t *time, int64_t value)
{
    atomic_store_explicit(time, value, memory_order_release);
}

static int64_t get_time(_Atomic int64_t *time)
{
    return atomic_load_explicit(time, memory_order_acquire);
}

static void set_text(_Atomic uint64_t *words, const char *text)
{
    uint64_t copy[STREAMS_ENDPOINT_SIZE / 8] = {0};
    size_t length = strnlen(text, STREAMS_ENDPOINT_SIZE - 1);
    memcpy(copy, text, length);
    for (size_t i = 0; i < STREAMS_ENDPOINT_SIZE / 8; i++)
        atomic_store_explicit(&words[i], copy[i], memory_order_release);
}

static void get_text(_Atomic uint64_t *words, char *text)
{
    for (size_t i = 0; i < STREAMS_ENDPOINT_SIZE / 8; i++) {
        uint64_t word = atomic_load_explicit(&words[i], memory_order_acquire);
        memcpy(text + 8 * i, &word, 8);
    }
    text[STREAMS_ENDPOINT_SIZE - 1] = '\0';
}

void streams_init(streams_t *self)
{
    memset(self, 0, sizeof *self);
    table_init(&self->published, sizeof(stream_t), STREAMS_LIMIT);
    table_init(&self->topics, sizeof(topic_t), STREAMS_LIMIT);
    table_init(&self->channels, sizeof(channel_t), STREAMS_LIMIT);
}

void streams_clear(streams_t *self)
{
    table_clear(&self->published);
    table_clear(&self->topics);
    table_clear(&self->channels);
    streams_init(self);
}

/* ---- publishing ---- */

stream_t *streams_published(streams_t *self, const char *name, size_t length)
{
    return (stream_t *)table_get(&self->published, name, length);
}

void stream_is_counted(stream_t *self)
{
    atomic_store_explicit(&self->counted, true, memory_order_release);
}

/* Whether an event without a server counter is to be counted. */
static bool is_counted_call(streams_t *streams, stream_t *self, push_call_t *call)
{
    if (!call->watched)
        return true;
    if (call->number == 0)
        call->number = atomic_fetch_add_explicit(&streams->push_calls, 1, memory_order_relaxed) + 1;
    bool same = self->last_call == call->number;
    self->last_call = call->number;
    return call->counts && !same;
}

/*
 * Whether somebody subscribed to the stream under its name without "#dbase=no". That name, for
 * which nothing is ever sent, then stands for this one.
 */
static bool take_over_subscription(streams_t *streams, stream_t *self)
{
    static const char no_database[] = "#dbase=no";
    const char *modifier = strstr(self->entry.name, no_database);
    if (!modifier || self->entry.name_length > WIRE_TOPIC_MAX)
        return false;
    char plain[WIRE_TOPIC_MAX];
    size_t head = (size_t)(modifier - self->entry.name);
    size_t length = self->entry.name_length - (sizeof no_database - 1);
    memcpy(plain, self->entry.name, head);
    memcpy(plain + head, modifier + sizeof no_database - 1, length - head);
    stream_t *other = (stream_t *)table_find(&streams->published, plain, length);
    if (!other || !atomic_load_explicit(&other->counted, memory_order_acquire))
        return false;
    atomic_store_explicit(&other->replaced, true, memory_order_release);
    stream_is_counted(self);
    return true;
}

void stream_pushed(streams_t *streams, stream_t *self, uint32_t counter, push_call_t *call,
                   uint64_t bytes, int64_t now_ns)
{
    uint32_t last = atomic_load_explicit(&self->counter, memory_order_relaxed);
    uint64_t more;
    if (counter == 0 && last == 0) {
        if (!atomic_load_explicit(&self->counted, memory_order_relaxed) &&
            !take_over_subscription(streams, self))
            return;
        more = is_counted_call(streams, self, call) ? 1 : 0;
    } else if (get_count(&self->pushed_event_count) == 0) {
        /* The counter is 1 for the first event after the first subscription: if the agent came
           later, the counter tells how many it has not seen. */
        more = counter;
    } else {
        more = (uint32_t)(counter - last); /* right across the wrap */
    }
    if (more == 0)
        return;

    write_begin(&self->sequence);
    atomic_store_explicit(&self->counter, counter, memory_order_release);
    add(&self->pushed_event_count, more);
    add(&self->byte_count, bytes);
    set_time(&self->last_event_ns, now_ns);
    write_end(&self->sequence);
    stream_is_counted(self);
}

bool stream_view(stream_t *self, stream_view_t *view)
{
    uint32_t begun;
    int tries = 0;
    do {
        begun = read_begin(&self->sequence);
        view->pushed_event_count = get_count(&self->pushed_event_count);
        view->byte_count = get_count(&self->byte_count);
        view->last_event_ns = get_time(&self->last_event_ns);
    } while (read_again(&self->sequence, begun, &tries));
    return atomic_load_explicit(&self->counted, memory_order_acquire) &&
           !atomic_load_explicit(&self->replaced, memory_order_acquire);
}

/* ---- receiving ---- */

static void topic_subscribe(topic_t *self)
{
    atomic_store_explicit(&self->subscribed, true, memory_order_release);
}

/* A new subscription starts all counts anew, as cppTango's own do. */
static void topic_reset(topic_t *self)
{
    self->has_counter = false;
    self->discarded_before = false;
    self->restart_expected = false;
    atomic_store_explicit(&self->uncounted, false, memory_order_release);
    atomic_store_explicit(&self->counter, 0, memory_order_release);
    set_count(&self->event_count, 0);
    set_count(&self->missed_event_count, 0);
    set_count(&self->discarded_event_count, 0);
    set_count(&self->lost_event_count, 0);
    set_count(&self->publisher_restart_count, 0);
    set_count(&self->byte_count, 0);
    set_time(&self->last_event_ns, STREAMS_NEVER);
    set_time(&self->last_resubscribed_ns, STREAMS_NEVER);
    atomic_store_explicit(&self->callback_count, 0, memory_order_release);
    atomic_store_explicit(&self->callbacks_known, true, memory_order_release);
}

topic_t *streams_topic(streams_t *self, const char *name, size_t length)
{
    topic_t *topic = (topic_t *)table_find(&self->topics, name, length);
    if (topic)
        return topic;
    topic = (topic_t *)table_get(&self->topics, name, length);
    if (topic)
        topic_subscribe(topic);
    return topic;
}

/*
 * The publisher's counter began again at 1: what it pushed before this event never came.
 */
static uint64_t lost_since_restart(uint32_t counter)
{
    return counter > 0 ? counter - 1 : 0;
}

/* What one event's counter says, next to the one before. */
typedef struct {
    bool duplicate;
    bool missed; /* cppTango will tell its callbacks API_MissedEvents */
    bool restarted;
    uint64_t lost;
} judgement_t;

/*
 * cppTango takes a counter of 0 for "none yet", so that it compares nothing with it. To us it is
 * one like the others, once others came: the counter has wrapped.
 */
static judgement_t judge(const topic_t *self, uint32_t last, uint32_t counter)
{
    judgement_t judgement = {0};
    if (!self->has_counter)
        return judgement;

    uint32_t step = counter - last; /* modulo 2^32: right across the wrap */
    bool backwards = step > INT32_MAX;
    bool compared_by_tango = last != 0 || counter == 1;
    bool uncounted = atomic_load_explicit(&self->uncounted, memory_order_relaxed);
    judgement.missed = compared_by_tango && step >= 2 && !backwards;
    if (self->restart_expected || (backwards && !uncounted)) {
        judgement.restarted = true;
        judgement.lost = lost_since_restart(counter);
    } else if (uncounted) {
        judgement.lost = 0;
    } else if (step == 0) {
        /* The copy that every new subscriber makes the publisher send. A third one would be
           delivered by cppTango, so it is counted as received, too. */
        judgement.duplicate = compared_by_tango && !self->discarded_before;
    } else {
        judgement.lost = step - 1;
    }
    return judgement;
}

topic_result_t topic_received(topic_t *self, uint32_t counter, uint64_t bytes, int64_t now_ns)
{
    if (!atomic_load_explicit(&self->subscribed, memory_order_relaxed))
        return TOPIC_IGNORED;

    uint32_t last = atomic_load_explicit(&self->counter, memory_order_relaxed);
    judgement_t judgement = judge(self, last, counter);
    self->discarded_before = judgement.duplicate;
    write_begin(&self->sequence);
    if (judgement.duplicate) {
        add(&self->discarded_event_count, 1);
        write_end(&self->sequence);
        return TOPIC_DISCARDED;
    }

    add(&self->missed_event_count, judgement.missed ? 1 : 0);
    add(&self->publisher_restart_count, judgement.restarted ? 1 : 0);
    add(&self->lost_event_count, judgement.lost);
    if (counter != 0)
        atomic_store_explicit(&self->uncounted, false, memory_order_release);
    else if (!self->has_counter || judgement.restarted)
        atomic_store_explicit(&self->uncounted, true, memory_order_release);
    self->has_counter = true;
    self->restart_expected = false;
    atomic_store_explicit(&self->counter, counter, memory_order_release);
    add(&self->event_count, 1);
    add(&self->byte_count, bytes);
    set_time(&self->last_event_ns, now_ns);
    write_end(&self->sequence);
    return TOPIC_RECEIVED;
}

void topic_callback_added(topic_t *self, int64_t change)
{
    atomic_fetch_add(&self->callback_count, change);
}

int64_t topic_callback_count(topic_t *self)
{
    return atomic_load_explicit(&self->callbacks_known, memory_order_acquire)
               ? atomic_load_explicit(&self->callback_count, memory_order_acquire)
               : TOPIC_CALLBACKS_UNKNOWN;
}

void topic_view(topic_t *self, topic_view_t *view)
{
    uint32_t begun;
    int tries = 0;
    do {
        begun = read_begin(&self->sequence);
        view->subscribed = atomic_load_explicit(&self->subscribed, memory_order_acquire);
        view->uncounted = atomic_load_explicit(&self->uncounted, memory_order_acquire);
        view->callback_count = topic_callback_count(self);
        view->channel = atomic_load_explicit(&self->channel, memory_order_acquire);
        view->server_counter = atomic_load_explicit(&self->counter, memory_order_acquire);
        view->event_count = get_count(&self->event_count);
        view->missed_event_count = get_count(&self->missed_event_count);
        view->discarded_event_count = get_count(&self->discarded_event_count);
        view->lost_event_count = get_count(&self->lost_event_count);
        view->publisher_restart_count = get_count(&self->publisher_restart_count);
        view->byte_count = get_count(&self->byte_count);
        view->last_event_ns = get_time(&self->last_event_ns);
        view->last_resubscribed_ns = get_time(&self->last_resubscribed_ns);
    } while (read_again(&self->sequence, begun, &tries));
}

/* ---- the consumer thread ---- */

void consumer_enters(consumer_thread_t *self, consumer_state_t state, topic_t *topic,
                     int64_t now_ns)
{
    write_begin(&self->sequence);
    if (atomic_load_explicit(&self->thread_id, memory_order_relaxed) == 0)
        atomic_store_explicit(&self->thread_id, (int32_t)syscall(SYS_gettid), memory_order_release);
    topic_t *left = atomic_load_explicit(&self->topic, memory_order_relaxed);
    int64_t took_ns = now_ns - get_time(&self->since_ns);
    if (left && (took_ns > get_time(&self->longest_ns) ||
                 !atomic_load_explicit(&self->longest_topic, memory_order_relaxed))) {
        set_time(&self->longest_ns, took_ns);
        atomic_store_explicit(&self->longest_topic, left, memory_order_release);
    }
    atomic_store_explicit(&self->state, (int)state, memory_order_release);
    atomic_store_explicit(&self->topic, topic, memory_order_release);
    set_time(&self->since_ns, now_ns);
    write_end(&self->sequence);
}

bool consumer_view(consumer_thread_t *self, consumer_view_t *view, int64_t now_ns)
{
    uint32_t begun;
    int tries = 0;
    do {
        begun = read_begin(&self->sequence);
        view->thread_id = atomic_load_explicit(&self->thread_id, memory_order_acquire);
        view->state = (consumer_state_t)atomic_load_explicit(&self->state, memory_order_acquire);
        view->topic = atomic_load_explicit(&self->topic, memory_order_acquire);
        view->since_ns = get_time(&self->since_ns);
        view->longest_ns = get_time(&self->longest_ns);
        view->longest_topic = atomic_load_explicit(&self->longest_topic, memory_order_acquire);
        view->delayed = atomic_load_explicit(&self->delay_count, memory_order_acquire) > 0;
        view->delayed_since_ns = get_time(&self->delayed_since_ns);
    } while (read_again(&self->sequence, begun, &tries));
    if (view->topic && now_ns - view->since_ns >= view->longest_ns) {
        view->longest_ns = now_ns - view->since_ns;
        view->longest_topic = view->topic;
    }
    return view->thread_id != 0;
}

/* cppTango counts the DELAYs in progress, and a RELEASE too many does nothing. */
static void consumer_delay(consumer_thread_t *self, bool delay, int64_t now_ns)
{
    int64_t count = get_time(&self->delay_count);
    write_begin(&self->sequence);
    if (delay && count == 0)
        set_time(&self->delayed_since_ns, now_ns);
    if (delay || count > 0)
        set_time(&self->delay_count, delay ? count + 1 : count - 1);
    write_end(&self->sequence);
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
 * "tango://host:port/a/b/c#dbase=no/attr.change", as cppTango names a stream of a device without a
 * database when it disconnects, is the topic "tango://host:port/a/b/c/attr#dbase=no.change".
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

/* What stands behind "tango://host:port/". */
static const char *behind_host(const char *topic)
{
    const char *host = strstr(topic, "://");
    const char *slash = host ? strchr(host + 3, '/') : NULL;
    return slash ? slash + 1 : topic;
}

/*
 * The subscribed topic that a DISCONNECT_EVENT means. cppTango composes the name anew from what its
 * client called the device, so host names may differ (an alias, a short name) from the topic's; the
 * port of its event endpoint tells devices of the same name apart.
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
    static const char *const modifiers[] = {"", "#dbase=no"};
    char wanted[2][WIRE_TOPIC_MAX + 1];
    for (size_t i = 0; i < 2; i++) {
        int length = snprintf(wanted[i], sizeof wanted[i], "%s%s%s%s.%s", device,
                              *attribute ? "/" : "", attribute, modifiers[i], event_name);
        if (length < 0 || (size_t)length >= sizeof wanted[i])
            return NULL;
    }
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

/* again: the channel had failed and is made anew; its heartbeats were missing meanwhile. */
static void channel_connect(channel_t *self, const char *endpoint, bool again)
{
    write_begin(&self->sequence);
    if (!again) {
        set_count(&self->heartbeat_count, 0);
        set_count(&self->missed_heartbeat_count, 0);
        set_time(&self->last_heartbeat_ns, STREAMS_NEVER);
    }
    atomic_store_explicit(&self->connected, true, memory_order_release);
    set_text(self->endpoint, endpoint);
    write_end(&self->sequence);
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
    uint32_t port = port_of(order->endpoint);
    uint32_t last_port = atomic_load_explicit(&topic->port, memory_order_relaxed);
    channel_t *channel = atomic_exchange(&topic->announced_channel, NULL);
    if (!channel)
        channel = channel_of_event_endpoint(self, order->endpoint);

    write_begin(&topic->sequence);
    if (again) {
        set_time(&topic->last_resubscribed_ns, now_ns);
        /* The same server on another port is another process, and its counters begin again. */
        if (last_port != 0 && port != last_port)
            topic->restart_expected = true;
    } else {
        topic_reset(topic);
    }
    atomic_store_explicit(&topic->port, port, memory_order_relaxed);
    if (channel)
        atomic_store_explicit(&topic->channel, channel, memory_order_release);
    topic_subscribe(topic);
    write_end(&topic->sequence);

    if (channel) {
        write_begin(&channel->sequence);
        set_text(channel->event_endpoint, order->endpoint);
        write_end(&channel->sequence);
    }
}

/* A publisher sends one every 10 s. */
#define HEARTBEAT_PERIOD_NS INT64_C(10000000000)

void streams_heartbeat(streams_t *self, const char *topic, size_t length, int64_t now_ns)
{
    if (!wire_is_heartbeat(topic, length))
        return;
    channel_t *channel =
        (channel_t *)table_find(&self->channels, topic, length - strlen(".heartbeat"));
    if (!channel)
        return;
    int64_t last_ns = get_time(&channel->last_heartbeat_ns);
    int64_t gap_ns = last_ns == STREAMS_NEVER ? 0 : now_ns - last_ns;
    write_begin(&channel->sequence);
    add(&channel->heartbeat_count, 1);
    if (gap_ns > HEARTBEAT_PERIOD_NS + HEARTBEAT_PERIOD_NS / 2)
        add(&channel->missed_heartbeat_count,
            (uint64_t)((gap_ns - HEARTBEAT_PERIOD_NS / 2) / HEARTBEAT_PERIOD_NS));
    set_time(&channel->last_heartbeat_ns, now_ns);
    write_end(&channel->sequence);
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

void channel_view(channel_t *self, channel_view_t *view)
{
    uint32_t begun;
    int tries = 0;
    do {
        begun = read_begin(&self->sequence);
        view->connected = atomic_load_explicit(&self->connected, memory_order_acquire);
        get_text(self->endpoint, view->endpoint);
        get_text(self->event_endpoint, view->event_endpoint);
        view->heartbeat_count = get_count(&self->heartbeat_count);
        view->missed_heartbeat_count = get_count(&self->missed_heartbeat_count);
        view->last_heartbeat_ns = get_time(&self->last_heartbeat_ns);
    } while (read_again(&self->sequence, begun, &tries));
}
