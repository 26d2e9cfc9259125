#include "response/response_schema.h"

#include <math.h>

/* ---- records ---- */

static const response_consumer_t no_consumer = {
    .state_micros = NAN, .longest_callback_micros = NAN, .delayed_micros = NAN};

static void *open_server(draft_t *self, bool present)
{
    self->has_content = true;
    self->response->has_server = present;
    self->counters.count = self->streams.count = self->push_samples.count = 0;
    self->response->push_perf_on = false;
    return self->response;
}

static void *open_client(draft_t *self, bool present)
{
    self->has_content = true;
    self->response->has_client = present;
    self->subscriptions.count = self->channels.count = self->not_connected.count = 0;
    self->response->not_connected_known = false;
    self->receive_samples.count = 0;
    self->response->receive_perf_on = false;
    self->response->consumer = no_consumer;
    return self->response;
}

static void *open_agent(draft_t *self, bool present)
{
    response_t *response = self->response;
    self->has_agent = present;
    response->agent_version = response->tango_version = response->agent_attached = NULL;
    response->agent_time = response->agent_unwatched = NULL;
    response->agent_loaded = response->process_started = NULL;
    response->agent_pid = RESPONSE_UNKNOWN;
    counters_clear(&counters_of_agent, &response->agent_counts);
    response->truncated = (response_truncated_t){0};
    return response;
}

static void *open_truncated(draft_t *self, bool present)
{
    (void)present;
    self->response->truncated = (response_truncated_t){0};
    return &self->response->truncated;
}

static void *open_consumer(draft_t *self, bool present)
{
    (void)present;
    self->response->consumer = no_consumer;
    return &self->response->consumer;
}

static void *open_counters(draft_t *self, bool present)
{
    (void)present;
    self->counters.count = 0;
    return NULL;
}

static void *open_streams(draft_t *self, bool present)
{
    (void)present;
    self->streams.count = 0;
    return NULL;
}

static void *open_push_samples(draft_t *self, bool present)
{
    self->push_samples.count = 0;
    self->response->push_perf_on = present;
    return NULL;
}

static void *open_subscriptions(draft_t *self, bool present)
{
    (void)present;
    self->subscriptions.count = 0;
    return NULL;
}

static void *open_channels(draft_t *self, bool present)
{
    (void)present;
    self->channels.count = 0;
    return NULL;
}

static void *open_not_connected(draft_t *self, bool present)
{
    self->response->not_connected_known = present;
    self->not_connected.count = 0;
    return NULL;
}

static void *open_receive_samples(draft_t *self, bool present)
{
    self->receive_samples.count = 0;
    self->response->receive_perf_on = present;
    return NULL;
}

static response_publisher_t *add_publisher(vector_t *list, char *name)
{
    response_publisher_t *publisher = vector_add(list);
    publisher->name = name;
    counters_clear(&counters_of_publisher, &publisher->counts);
    return publisher;
}

static void *add_stream(draft_t *self, char *name)
{
    return add_publisher(&self->streams, name);
}

static void *add_subscription(draft_t *self, char *topic)
{
    response_subscription_t *subscription = vector_add(&self->subscriptions);
    subscription->topic = topic;
    counters_clear(&counters_of_subscription, &subscription->counts);
    return subscription;
}

static void *add_channel(draft_t *self, char *name)
{
    response_channel_t *channel = vector_add(&self->channels);
    channel->name = name;
    counters_clear(&counters_of_channel, &channel->counts);
    return channel;
}

static void *add_not_connected(draft_t *self, char *name)
{
    (void)name;
    return vector_add(&self->not_connected);
}

static void *add_push_sample(draft_t *self, char *name)
{
    (void)name;
    response_push_sample_t *sample = vector_add(&self->push_samples);
    *sample = (response_push_sample_t){.micros_since_last_event = NAN, .push_event_micros = NAN};
    return sample;
}

static void *add_receive_sample(draft_t *self, char *name)
{
    (void)name;
    response_receive_sample_t *sample = vector_add(&self->receive_samples);
    *sample = (response_receive_sample_t){
        .micros_since_last_event = NAN,
        .sleep_micros = NAN,
        .process_micros = NAN,
        .first_callback_latency_micros = NAN,
        .callback_count = RESPONSE_UNKNOWN,
        .wake_count = RESPONSE_UNKNOWN,
    };
    return sample;
}

/* ---- what an answer may hold ---- */

#define FIELDS(list)                                                                               \
    .fields = (list), .field_count = sizeof(list) / sizeof((list)[0]),                             \
    .followers = (atomic_uchar[SCHEMA_MAX_KEYS + 1])                                               \
    {                                                                                              \
        0                                                                                          \
    }
#define COUNTERS(table, record, member)                                                            \
    .counters = &(table), .counter_count = sizeof(((record *)0)->member) / sizeof(int64_t),        \
    .counts_offset = offsetof(record, member)

const node_t schema_bucket = {.kind = NODE_BUCKET};
static const node_t buckets_node = {.kind = NODE_BUCKETS, .entry = &schema_bucket};
static const field_t histogram_fields[] = {
    {"buckets", FIELD_NODE, .node = &buckets_node},
    {"count", FIELD_COUNT, .offset = offsetof(response_histogram_t, count)},
    {"max_nanos", FIELD_MICROS, .offset = offsetof(response_histogram_t, max_nanos)},
    {"sum_nanos", FIELD_MICROS, .offset = offsetof(response_histogram_t, sum_nanos)},
};
const node_t schema_histogram = {.kind = NODE_RECORD, FIELDS(histogram_fields)};

static const node_t counters_node = {
    .kind = NODE_COUNTS, .section = "server.event_counters", .open = open_counters};

static const field_t stream_fields[] = {
    {"last_event", FIELD_STRING, .offset = offsetof(response_publisher_t, last_event)},
    {"last_subscription", FIELD_STRING,
     .offset = offsetof(response_publisher_t, last_subscription)},
    {"has_subscribers", FIELD_TOLD, .offset = offsetof(response_publisher_t, has_subscribers)},
    {"push_event_histogram", FIELD_HISTOGRAM, .offset = offsetof(response_publisher_t, push_event)},
};
static const node_t stream_node = {.kind = NODE_RECORD,
                                   FIELDS(stream_fields),
                                   COUNTERS(counters_of_publisher, response_publisher_t, counts),
                                   .add = add_stream};
static const node_t streams_node = {.kind = NODE_NAMES,
                                    .section = "server.event_streams",
                                    .open = open_streams,
                                    .entries_may_be_null = true,
                                    .entry = &stream_node};

static const field_t push_sample_fields[] = {
    {"micros_since_last_event", FIELD_MICROS,
     .offset = offsetof(response_push_sample_t, micros_since_last_event)},
    {"push_event_micros", FIELD_MICROS,
     .offset = offsetof(response_push_sample_t, push_event_micros)},
};
static const node_t push_sample_node = {
    .kind = NODE_RECORD, FIELDS(push_sample_fields), .add = add_push_sample};
static const node_t push_samples_node = {.kind = NODE_LIST,
                                         .section = "server.perf",
                                         .open = open_push_samples,
                                         .entry = &push_sample_node};

static const field_t server_fields[] = {
    {"event_counters", FIELD_NODE, .node = &counters_node},
    {"perf", FIELD_NODE, .node = &push_samples_node},
    {"perf_stats", FIELD_NODE, .node = &push_samples_node, .legacy = true},
    {"event_streams", FIELD_NODE, .node = &streams_node},
};
static const node_t server_node = {.kind = NODE_RECORD, FIELDS(server_fields), .open = open_server};

static const field_t subscription_fields[] = {
    {"channel_name", FIELD_STRING, .offset = offsetof(response_subscription_t, channel_name)},
    {"last_resubscribed", FIELD_STRING,
     .offset = offsetof(response_subscription_t, last_resubscribed)},
    {"last_error_event", FIELD_STRING,
     .offset = offsetof(response_subscription_t, last_error_event)},
    {"last_event", FIELD_STRING, .offset = offsetof(response_subscription_t, last_event)},
    {"latency_histogram", FIELD_HISTOGRAM, .offset = offsetof(response_subscription_t, latency)},
    {"processing_histogram", FIELD_HISTOGRAM,
     .offset = offsetof(response_subscription_t, processing)},
};
_Static_assert(sizeof subscription_fields / sizeof *subscription_fields +
                       sizeof(subscription_counts_t) / sizeof(int64_t) <=
                   SCHEMA_MAX_KEYS,
               "the object with the most keys");
static const node_t subscription_node = {
    .kind = NODE_RECORD,
    FIELDS(subscription_fields),
    COUNTERS(counters_of_subscription, response_subscription_t, counts),
    .add = add_subscription};
static const node_t subscriptions_node = {.kind = NODE_NAMES,
                                          .section = "client.event_callbacks",
                                          .open = open_subscriptions,
                                          .entry = &subscription_node};

static const field_t channel_fields[] = {
    {"endpoint", FIELD_STRING, .offset = offsetof(response_channel_t, endpoint)},
    {"event_endpoint", FIELD_STRING, .offset = offsetof(response_channel_t, event_endpoint)},
    {"last_heartbeat", FIELD_STRING, .offset = offsetof(response_channel_t, last_heartbeat)},
};
static const node_t channel_node = {.kind = NODE_RECORD,
                                    FIELDS(channel_fields),
                                    COUNTERS(counters_of_channel, response_channel_t, counts),
                                    .add = add_channel};
static const node_t channels_node = {.kind = NODE_NAMES,
                                     .section = "client.event_channels",
                                     .open = open_channels,
                                     .entry = &channel_node};

static const field_t not_connected_fields[] = {
    {"device", FIELD_STRING, .offset = offsetof(response_not_connected_t, device)},
    {"attribute", FIELD_STRING, .offset = offsetof(response_not_connected_t, attribute)},
    {"event_type", FIELD_STRING, .offset = offsetof(response_not_connected_t, event_type)},
    {"last_heartbeat", FIELD_STRING, .offset = offsetof(response_not_connected_t, last_heartbeat)},
    {"tango_host", FIELD_STRING, .offset = offsetof(response_not_connected_t, tango_host)},
};
static const node_t not_connected_entry_node = {
    .kind = NODE_RECORD, FIELDS(not_connected_fields), .add = add_not_connected};
static const node_t not_connected_node = {.kind = NODE_LIST,
                                          .section = "client.not_connected",
                                          .open = open_not_connected,
                                          .entry = &not_connected_entry_node};

static const field_t receive_sample_fields[] = {
    {"attr_name", FIELD_STRING, .offset = offsetof(response_receive_sample_t, attr_name)},
    {"att_name", FIELD_STRING, .offset = offsetof(response_receive_sample_t, attr_name),
     .legacy = true},
    {"event_type", FIELD_STRING, .offset = offsetof(response_receive_sample_t, event_type)},
    {"micros_since_last_event", FIELD_MICROS,
     .offset = offsetof(response_receive_sample_t, micros_since_last_event)},
    {"sleep_micros", FIELD_MICROS, .offset = offsetof(response_receive_sample_t, sleep_micros)},
    {"process_micros", FIELD_MICROS, .offset = offsetof(response_receive_sample_t, process_micros)},
    {"first_callback_latency_micros", FIELD_MICROS,
     .offset = offsetof(response_receive_sample_t, first_callback_latency_micros)},
    /* The existing servers misspell it like this. */
    {"first_callback_lactency_micros", FIELD_MICROS,
     .offset = offsetof(response_receive_sample_t, first_callback_latency_micros), .legacy = true},
    {"callback_count", FIELD_COUNT, .offset = offsetof(response_receive_sample_t, callback_count)},
    {"wake_count", FIELD_COUNT, .offset = offsetof(response_receive_sample_t, wake_count)},
    {"discarded", FIELD_BOOLEAN, .offset = offsetof(response_receive_sample_t, discarded)},
};
static const node_t receive_sample_node = {
    .kind = NODE_RECORD, FIELDS(receive_sample_fields), .add = add_receive_sample};
static const node_t receive_samples_node = {.kind = NODE_LIST,
                                            .section = "client.perf",
                                            .open = open_receive_samples,
                                            .entry = &receive_sample_node};

static const field_t consumer_fields[] = {
    {"state", FIELD_STRING, .offset = offsetof(response_consumer_t, state)},
    {"topic", FIELD_STRING, .offset = offsetof(response_consumer_t, topic)},
    {"since", FIELD_STRING, .offset = offsetof(response_consumer_t, since)},
    {"state_micros", FIELD_MICROS, .offset = offsetof(response_consumer_t, state_micros)},
    {"longest_callback_micros", FIELD_MICROS,
     .offset = offsetof(response_consumer_t, longest_callback_micros)},
    {"longest_callback_topic", FIELD_STRING,
     .offset = offsetof(response_consumer_t, longest_callback_topic)},
    {"delayed_micros", FIELD_MICROS, .offset = offsetof(response_consumer_t, delayed_micros)},
};
static const node_t consumer_node = {
    .kind = NODE_RECORD, FIELDS(consumer_fields), .open = open_consumer};

static const field_t client_fields[] = {
    {"event_callbacks", FIELD_NODE, .node = &subscriptions_node},
    {"not_connected", FIELD_NODE, .node = &not_connected_node},
    {"event_channels", FIELD_NODE, .node = &channels_node},
    {"perf", FIELD_NODE, .node = &receive_samples_node},
    {"perf_stats", FIELD_NODE, .node = &receive_samples_node, .legacy = true},
    {"consumer_thread", FIELD_NODE, .node = &consumer_node},
};
static const node_t client_node = {.kind = NODE_RECORD, FIELDS(client_fields), .open = open_client};

static const field_t truncated_fields[] = {
    {"event_counters", FIELD_COUNT, .offset = offsetof(response_truncated_t, event_counters)},
    {"event_streams", FIELD_COUNT, .offset = offsetof(response_truncated_t, event_streams)},
    {"event_callbacks", FIELD_COUNT, .offset = offsetof(response_truncated_t, event_callbacks)},
    {"not_connected", FIELD_COUNT, .offset = offsetof(response_truncated_t, not_connected)},
    {"event_channels", FIELD_COUNT, .offset = offsetof(response_truncated_t, event_channels)},
};
static const node_t truncated_node = {
    .kind = NODE_RECORD, FIELDS(truncated_fields), .open = open_truncated};

static const field_t agent_fields[] = {
    {"version", FIELD_STRING, .offset = offsetof(response_t, agent_version)},
    {"tango_version", FIELD_STRING, .offset = offsetof(response_t, tango_version)},
    {"pid", FIELD_COUNT, .offset = offsetof(response_t, agent_pid)},
    {"attached", FIELD_STRING, .offset = offsetof(response_t, agent_attached)},
    {"loaded", FIELD_STRING, .offset = offsetof(response_t, agent_loaded)},
    {"process_started", FIELD_STRING, .offset = offsetof(response_t, process_started)},
    {"time", FIELD_STRING, .offset = offsetof(response_t, agent_time)},
    {"truncated", FIELD_NODE, .node = &truncated_node},
    {"unwatched", FIELD_STRING, .offset = offsetof(response_t, agent_unwatched)},
};
static const node_t agent_node = {.kind = NODE_RECORD,
                                  FIELDS(agent_fields),
                                  COUNTERS(counters_of_agent, response_t, agent_counts),
                                  .open = open_agent};

static const field_t answer_fields[] = {
    {.key = "version", .kind = FIELD_VERSION},
    {"server", FIELD_NODE, .node = &server_node},
    {"client", FIELD_NODE, .node = &client_node},
    {"agent", FIELD_NODE, .node = &agent_node},
};
const node_t schema_answer = {.kind = NODE_RECORD, FIELDS(answer_fields)};

void schema_begin(draft_t *draft)
{
    open_agent(draft, false);
    open_consumer(draft, false);
}

response_publisher_t *schema_add_counter(draft_t *draft, char *name)
{
    return add_publisher(&draft->counters, name);
}
