#include "response/counters.h"

static const counter_t of_subscription[] = {
    {.key = "event_count",
     .offset = offsetof(subscription_counts_t, event_count),
     .kind = COUNTER_GROWS,
     .in_totals = true,
     .json = "received",
     .heading = "received",
     .metric = "tango_event_received_total",
     .help = "Events received and handed to callbacks."},
    {.key = "missed_event_count",
     .offset = offsetof(subscription_counts_t, missed_event_count),
     .kind = COUNTER_GROWS,
     .in_totals = true,
     .json = "missed",
     .table = "gaps",
     .heading = "missed",
     .metric = "tango_event_gaps_total",
     .help = "Times that Tango found events missing; not how many."},
    {.key = "lost_event_count",
     .offset = offsetof(subscription_counts_t, lost_event_count),
     .kind = COUNTER_LOST,
     .in_totals = true,
     .json = "lost",
     .heading = "lost",
     .metric = "tango_event_lost_total",
     .labels = "cause=\"overflow\"", /* without those of outages */
     .help = "Events that were pushed and never received."},
    {.key = "outage_lost_event_count",
     .offset = offsetof(subscription_counts_t, outage_lost_event_count),
     .kind = COUNTER_GROWS,
     .agent_only = true,
     .json = "outage_lost",
     .table = "lost_in_outage",
     .heading = "in outages",
     .metric = "tango_event_lost_total",
     .labels = "cause=\"outage\"",
     .help = "Events that were pushed and never received."},
    {.key = "discarded_event_count",
     .offset = offsetof(subscription_counts_t, discarded_event_count),
     .kind = COUNTER_GROWS,
     .json = "discarded",
     .heading = "discarded",
     .metric = "tango_event_discarded_total",
     .help = "Events that Tango took for duplicates and handed to no callback."},
    {.key = "error_event_count",
     .offset = offsetof(subscription_counts_t, error_event_count),
     .kind = COUNTER_GROWS,
     .agent_only = true,
     .json = "errors",
     .heading = "errors",
     .metric = "tango_event_received_errors_total",
     .help = "Events received that carried an error instead of a value."},
    {.key = "callback_count",
     .offset = offsetof(subscription_counts_t, callback_count),
     .kind = COUNTER_LEVEL,
     .json = "callbacks",
     .heading = "callbacks",
     .metric = "tango_event_callbacks",
     .help = "Callbacks registered for the topic."},
    {.key = "publisher_restart_count",
     .offset = offsetof(subscription_counts_t, publisher_restart_count),
     .kind = COUNTER_GROWS,
     .agent_only = true,
     .json = "publisher_restarts",
     .heading = "publisher restarts",
     .metric = "tango_event_publisher_restarts_total",
     .help = "Times that the publisher's counter began again."},
    {.key = "known_lost_event_count",
     .offset = offsetof(subscription_counts_t, known_lost_event_count),
     .kind = COUNTER_GROWS,
     .agent_only = true,
     .is_no_news = true}, /* lost_event_count is */
    {.key = "byte_count",
     .offset = offsetof(subscription_counts_t, byte_count),
     .kind = COUNTER_GROWS,
     .agent_only = true,
     .table = "received_bytes",
     .metric = "tango_event_received_bytes_total",
     .help = "Bytes of the events received, all frames."},
    {.key = "server_counter",
     .offset = offsetof(subscription_counts_t, server_counter),
     .kind = COUNTER_WRAPS},
};

static const counter_t of_publisher[] = {
    {.key = "pushed_event_count",
     .offset = offsetof(publisher_counts_t, pushed_event_count),
     .kind = COUNTER_WRAPS, /* the built-in command's is a server counter */
     .in_totals = true,
     .json = "pushed",
     .heading = "pushed",
     .metric = "tango_event_pushed_total",
     .help = "Events pushed since the stream's first subscriber came."},
    {.key = "byte_count",
     .offset = offsetof(publisher_counts_t, byte_count),
     .kind = COUNTER_GROWS,
     .agent_only = true,
     .table = "pushed_bytes",
     .metric = "tango_event_pushed_bytes_total",
     .help = "Bytes of the events pushed, all frames, each event once."},
};

static const counter_t of_channel[] = {
    {.key = "heartbeat_count",
     .offset = offsetof(channel_counts_t, heartbeat_count),
     .kind = COUNTER_GROWS,
     .agent_only = true,
     .is_no_news = true, /* one comes every 10 s */
     .json = "heartbeats",
     .heading = "heartbeats",
     .metric = "tango_event_heartbeats_total",
     .help = "Heartbeats received on an event channel."},
    {.key = "missed_heartbeat_count",
     .offset = offsetof(channel_counts_t, missed_heartbeat_count),
     .kind = COUNTER_GROWS,
     .agent_only = true,
     .json = "missed_heartbeats",
     .heading = "missed heartbeats",
     .metric = "tango_event_missed_heartbeats_total",
     .help = "Heartbeats that were due and had not arrived when the next one did."},
};

static const counter_t of_agent[] = {
    {.key = "uncounted",
     .offset = offsetof(agent_counts_t, uncounted),
     .kind = COUNTER_GROWS,
     .agent_only = true,
     .json = "uncounted",
     .metric = "tango_event_agent_uncounted_total",
     .help = "Times that the agent did not count something because a table was full."},
    {.key = "unknown_topic_event_count",
     .offset = offsetof(agent_counts_t, unknown_topic_event_count),
     .kind = COUNTER_GROWS,
     .agent_only = true,
     .json = "unknown_topic_events",
     .metric = "tango_event_unknown_topic_total",
     .help = "Events that came under names that nobody subscribed to."},
};

#define TABLE(lines)                                                                               \
    {                                                                                              \
        .list = (lines), .count = sizeof(lines) / sizeof((lines)[0])                               \
    }

const counters_t counters_of_subscription = TABLE(of_subscription);
const counters_t counters_of_publisher = TABLE(of_publisher);
const counters_t counters_of_channel = TABLE(of_channel);
const counters_t counters_of_agent = TABLE(of_agent);

#define HAS_EACH(lines, counts)                                                                    \
    _Static_assert(sizeof(lines) / sizeof((lines)[0]) == sizeof(counts) / sizeof(int64_t),         \
                   "each member of " #counts " has a line")

HAS_EACH(of_subscription, subscription_counts_t);
HAS_EACH(of_publisher, publisher_counts_t);
HAS_EACH(of_channel, channel_counts_t);
HAS_EACH(of_agent, agent_counts_t);

void counters_clear(const counters_t *self, void *counts)
{
    for (size_t i = 0; i < self->count; i++)
        *counter_in(&self->list[i], counts) = RESPONSE_UNKNOWN;
}

void counters_keep(const counters_t *self, void *now, const void *before)
{
    for (size_t i = 0; i < self->count; i++) {
        const counter_t *counter = &self->list[i];
        const bool lasts = counter->kind == COUNTER_GROWS || counter->kind == COUNTER_WRAPS;
        if (lasts && counter_of(counter, now) == RESPONSE_UNKNOWN)
            *counter_in(counter, now) = counter_of(counter, before);
    }
}

bool counters_are_same(const counters_t *self, const void *a, const void *b)
{
    for (size_t i = 0; i < self->count; i++) {
        const counter_t *counter = &self->list[i];
        if (!counter->is_no_news && counter_of(counter, a) != counter_of(counter, b))
            return false;
    }
    return true;
}

bool counters_fell(const counters_t *self, const void *before, const void *now)
{
    for (size_t i = 0; i < self->count; i++) {
        const counter_t *counter = &self->list[i];
        const int64_t count = counter_of(counter, now);
        if (counter->kind == COUNTER_GROWS && count != RESPONSE_UNKNOWN &&
            count < counter_of(counter, before))
            return true;
    }
    return false;
}
