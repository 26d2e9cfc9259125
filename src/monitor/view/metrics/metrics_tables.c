#include "monitor/view/metrics/metrics_tables.h"

#include <string.h>

static const char lost_metric[] = "tango_event_lost_total";

/* A column of its own that isn't a counter of an answer, in the order of its enum. */
static const metrics_column_t subscribed_columns[] = {
    [SUBSCRIBED_LOST_OVERFLOW] = {.family = {lost_metric, METRICS_COUNTER, false,
                                             "Events that were pushed and never received."},
                                  .extra = "cause=\"overflow\",counted_by=\"agent\""},
    [SUBSCRIBED_LOST_OUTAGE] = {.family = {lost_metric, METRICS_COUNTER, false, ""},
                                .extra = "cause=\"outage\",counted_by=\"agent\""},
    [SUBSCRIBED_DERIVED_OVERFLOW] = {.family = {lost_metric, METRICS_COUNTER, false, ""},
                                     .extra = "cause=\"overflow\",counted_by=\"exporter\""},
    [SUBSCRIBED_DERIVED_OUTAGE] = {.family = {lost_metric, METRICS_COUNTER, false, ""},
                                   .extra = "cause=\"outage\",counted_by=\"exporter\""},
    [SUBSCRIBED_LOST_IS_MINIMUM] = {.family = {"tango_event_lost_is_minimum", METRICS_GAUGE, false,
                                               "1 where more events may be lost than counted."},
                                    .merge = METRICS_LARGEST},
    [SUBSCRIBED_NOT_RECEIVED] = {.family = {"tango_event_not_received", METRICS_GAUGE, false,
                                            "Events pushed by the publisher's previous answer and "
                                            "not received yet: on their way, or lost."}},
};

static const metrics_family_t subscribed_histograms[] = {
    [SUBSCRIBED_LATENCY] = {"tango_event_latency_seconds", METRICS_HISTOGRAM, true,
                            "Time from an event's own timestamp until it is handed to the "
                            "callbacks, while performance monitoring is on."},
    [SUBSCRIBED_CALLBACK] = {"tango_event_callback_seconds", METRICS_HISTOGRAM, true,
                             "Time that all callbacks of an event took, while performance "
                             "monitoring is on."},
};

static const metrics_family_t published_histogram = {
    "tango_event_push_seconds", METRICS_HISTOGRAM, true,
    "Time that pushing an event took, while performance monitoring is on."};

static const metrics_column_t channel_columns[] = {
    [CHANNEL_LAST_HEARTBEAT] = {.family = {"tango_event_last_heartbeat_timestamp_seconds",
                                           METRICS_GAUGE, true,
                                           "When the last heartbeat came on an event channel, by "
                                           "the subscriber's clock."},
                                .merge = METRICS_SMALLEST},
};

#define OF_SERVER(name, in_nanos, help)                                                            \
    {                                                                                              \
        .family = {(name), METRICS_GAUGE, (in_nanos), (help)}, .merge = METRICS_LARGEST            \
    }

static const metrics_column_t server_columns[] = {
    [SERVER_UP] =
        OF_SERVER("tango_event_server_up", false, "Whether the server answered the last poll."),
    [SERVER_POLL] = OF_SERVER("tango_event_server_poll_seconds", true,
                              "Time that the server took to answer the last poll."),
    [SERVER_ANSWERED] = OF_SERVER("tango_event_server_last_answer_timestamp_seconds", true,
                                  "When the server was asked the last time that it answered."),
    [SERVER_PUBLISHED] = {.family = {"tango_event_server_streams", METRICS_GAUGE, false,
                                     "Streams that the server publishes, or subscribes to."},
                          .extra = "direction=\"published\"",
                          .merge = METRICS_LARGEST},
    [SERVER_SUBSCRIBED] = {.family = {"tango_event_server_streams", METRICS_GAUGE, false, ""},
                           .extra = "direction=\"subscribed\"",
                           .merge = METRICS_LARGEST},
    [SERVER_SUMMED] = OF_SERVER("tango_event_server_summed_streams", false,
                                "Streams without series of their own, because there are too many: "
                                "they are in those of the server that have no device."),
    [SERVER_NOT_CONNECTED] = OF_SERVER("tango_event_not_connected", false,
                                       "Subscriptions that Tango could not make yet, and keeps "
                                       "retrying."),
    [SERVER_BUSY] = OF_SERVER("tango_event_consumer_busy_seconds", true,
                              "For how long the consumer thread had been in a callback when the "
                              "server answered; 0: it wasn't."),
    [SERVER_DELAYED] = OF_SERVER("tango_event_consumer_delayed_seconds", true,
                                 "For how long events had been waiting because a subscription was "
                                 "being made, when the server answered; 0: they weren't."),
};

static const metrics_family_t agent_info = {
    "tango_event_agent_info", METRICS_INFO, false,
    "What answers in the server: the agent, the built-in command or a patched server."};

static const metrics_family_t server_findings = {
    "tango_event_server_findings", METRICS_GAUGE, false,
    "Findings that last, by the server whose answer shows them."};

/* Whether a counter has a column of its own. */
static bool is_shown(const counter_t *counter)
{
    return counter->metric && strcmp(counter->metric, lost_metric) != 0;
}

static void add_counters(metrics_table_t *table, const counters_t *counters, metrics_merge_t merge)
{
    for (size_t i = 0; i < counters->count; i++) {
        const counter_t *counter = &counters->list[i];
        if (!is_shown(counter))
            continue;
        const metrics_column_t column = {
            .family = {.name = counter->metric,
                       .type = counter->kind == COUNTER_LEVEL ? METRICS_GAUGE : METRICS_COUNTER,
                       .help = counter->help},
            .extra = counter->labels,
            .merge = merge};
        table->columns[table->column_count++] = column;
    }
}

static void add_columns(metrics_table_t *table, const metrics_column_t *columns, size_t count)
{
    memcpy(table->columns + table->column_count, columns, count * sizeof *columns);
    table->column_count += count;
}

#define COUNT_OF(list) (sizeof(list) / sizeof((list)[0]))

void metrics_tables_begin(metrics_tables_t *self)
{
    *self = (metrics_tables_t){0};
    metrics_table_t *table = &self->streams[STREAMS_PUBLISHED];
    add_counters(table, &counters_of_publisher, METRICS_ADD);
    table->histograms[PUBLISHED_PUSH] = published_histogram;
    table->histogram_count = 1;

    table = &self->streams[STREAMS_SUBSCRIBED];
    add_columns(table, subscribed_columns, COUNT_OF(subscribed_columns));
    add_counters(table, &counters_of_subscription, METRICS_ADD);
    memcpy(table->histograms, subscribed_histograms, sizeof subscribed_histograms);
    table->histogram_count = COUNT_OF(subscribed_histograms);

    table = &self->streams[STREAMS_CHANNELS];
    add_columns(table, channel_columns, COUNT_OF(channel_columns));
    add_counters(table, &counters_of_channel, METRICS_ADD);

    add_columns(&self->servers, server_columns, COUNT_OF(server_columns));
    add_counters(&self->servers, &counters_of_agent, METRICS_LARGEST);
    self->agents.columns[self->agents.column_count++] =
        (metrics_column_t){.family = agent_info, .merge = METRICS_LARGEST};
    self->findings.columns[self->findings.column_count++] =
        (metrics_column_t){.family = server_findings, .merge = METRICS_ADD};
}

void metrics_tables_clear(metrics_tables_t *self)
{
    for (size_t i = 0; i < METRICS_STREAM_TABLES; i++)
        metrics_table_clear(&self->streams[i]);
    metrics_table_clear(&self->servers);
    metrics_table_clear(&self->agents);
    metrics_table_clear(&self->findings);
}

void metrics_row_set_counts(metrics_row_t *self, size_t first, const counters_t *counters,
                            const void *counts)
{
    for (size_t i = 0; i < counters->count; i++)
        if (is_shown(&counters->list[i]))
            self->values[first++] = counter_of(&counters->list[i], counts);
}

void metrics_tables_put(metrics_tables_t *self, metrics_model_t *model)
{
    metrics_table_put(&self->servers, model);
    metrics_table_put(&self->agents, model);
    metrics_table_put(&self->findings, model);
    for (size_t i = 0; i < METRICS_STREAM_TABLES; i++)
        metrics_table_put(&self->streams[i], model);
}
