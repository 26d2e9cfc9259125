#include "monitor/view/metrics/metrics_collector.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/monotonic.h"
#include "base/name_set.h"
#include "base/timespec.h"
#include "monitor/analysis/loss_between.h"
#include "monitor/view/metrics/metrics_publishers.h"
#include "monitor/view/metrics/metrics_tables.h"
#include "monitor/view/metrics/metrics_watched.h"
#include "monitor/view/shown.h"
#include "response/names.h"

enum { SEVERITIES = SEVERITY_FAULT + 1 };

/* Findings of one rule, by severity. */
typedef struct {
    int64_t by_severity[SEVERITIES];
} rule_count_t;

struct metrics_collector {
    const metrics_options_t *options;
    rule_count_t *began; /* so far, by rule */
    metrics_watch_t watch;
};

/* One server that has answered. */
typedef struct {
    metrics_watched_t *watched;
    const server_part_t *part;
    const metrics_kept_t *labels;
    size_t row; /* in the table of servers */
    metrics_range_t ranges[METRICS_STREAM_TABLES];
} answered_t;

/* One observation that is being collected. */
typedef struct {
    metrics_collector_t *collector;
    const observation_t *seen;
    const filter_t *filter;
    metrics_publishers_t *publishers;
    metrics_model_t *model;
    metrics_tables_t tables;
    vector_t answered; /* answered_t */
} collection_t;

metrics_collector_t *metrics_collector_new(const metrics_options_t *options)
{
    metrics_collector_t *self = memory_new(1, sizeof *self);
    self->options = options;
    self->began = memory_new(rules_count, sizeof *self->began);
    return self;
}

void metrics_collector_destroy(metrics_collector_t **self)
{
    if (!*self)
        return;
    metrics_watch_clear(&(*self)->watch);
    free((*self)->began);
    free(*self);
    *self = NULL;
}

static int64_t nanos_of(double seconds)
{
    const double nanos = seconds * (double)NS_PER_SECOND;
    return nanos >= 0 && nanos < 0x1p63 ? (int64_t)nanos : RESPONSE_UNKNOWN;
}

/* ---- streams ---- */

static void collect_published(collection_t *self, const response_t *response,
                              metrics_labels_t *labels)
{
    const size_t server = labels->size;
    metrics_table_t *table = &self->tables.streams[STREAMS_PUBLISHED];
    metrics_table_reserve(table, response->publisher_count);
    for (size_t i = 0; i < response->publisher_count; i++) {
        const response_publisher_t *one = &response->publishers[i];
        if (!filter_takes(self->filter, one->name))
            continue;
        labels->size = server;
        metrics_labels_add_stream(labels, one->name);
        metrics_row_t *row = metrics_table_add(table, metrics_model_keep(self->model, labels),
                                               name_set_hash(0, one->name));
        publisher_counts_t counts = one->counts;
        counts.pushed_event_count = response_pushed_count(response, one);
        metrics_row_set_counts(row, PUBLISHED_COLUMNS, &counters_of_publisher, &counts);
        if (one->push_event)
            metrics_histogram_add(metrics_row_histogram(row, PUBLISHED_PUSH), one->push_event);
    }
    labels->size = server;
}

/*
 * What the agent has counted goes on when the exporter is another one; what the exporter has found
 * starts again then. They are apart, so that each is a counter. Where events have no numbers
 * nothing is known. Otherwise there is a series, also as long as all that is known is "none or
 * more": it has to be there before it increases.
 */
static void set_losses(metrics_row_t *row, const response_subscription_t *one, const loss_t *loss)
{
    const subscription_counts_t *counts = &one->counts;
    const bool is_unnumbered = counts->server_counter == 0 && counts->event_count > 0;
    const bool is_counted = counts->known_lost_event_count != RESPONSE_UNKNOWN;
    if (is_unnumbered || (!is_counted && loss_has_no_numbers(one)))
        return;
    if (is_counted) {
        const int64_t all = counts->known_lost_event_count;
        const int64_t outage = counts->outage_lost_event_count;
        row->values[SUBSCRIBED_LOST_OVERFLOW] = outage == RESPONSE_UNKNOWN ? all
                                                : all > outage             ? all - outage
                                                                           : 0;
        row->values[SUBSCRIBED_LOST_OUTAGE] = outage;
    }
    if (loss) {
        row->values[SUBSCRIBED_DERIVED_OVERFLOW] = loss->derived - loss->derived_in_outage;
        row->values[SUBSCRIBED_DERIVED_OUTAGE] = loss->derived_in_outage;
    }
    if (!loss || loss->source == LOSS_UNKNOWN || loss->is_minimum)
        row->values[SUBSCRIBED_LOST_IS_MINIMUM] = 1;
}

static void add_histogram(metrics_row_t *row, size_t which, const response_histogram_t *histogram)
{
    if (histogram)
        metrics_histogram_add(metrics_row_histogram(row, which), histogram);
}

static void collect_subscribed(collection_t *self, const reply_t *reply, size_t place,
                               metrics_labels_t *labels)
{
    const size_t server = labels->size;
    const response_t *response = reply->response;
    metrics_table_t *table = &self->tables.streams[STREAMS_SUBSCRIBED];
    metrics_table_reserve(table, response->subscription_count);
    const server_losses_t *losses = losses_of_server(self->seen->losses, reply->server, place);
    for (size_t i = 0; i < response->subscription_count; i++) {
        const response_subscription_t *one = &response->subscriptions[i];
        if (!filter_takes(self->filter, one->topic))
            continue;
        labels->size = server;
        metrics_labels_add_stream(labels, one->topic);
        metrics_labels_add(labels, "publisher",
                           metrics_publishers_name(self->publishers, one->channel_name));
        metrics_row_t *row = metrics_table_add(table, metrics_model_keep(self->model, labels),
                                               name_set_hash(0, one->topic));
        metrics_row_set_counts(row, SUBSCRIBED_COLUMNS, &counters_of_subscription, &one->counts);
        const loss_t *loss = losses_find(losses, one->topic);
        set_losses(row, one, loss);
        if (loss)
            row->values[SUBSCRIBED_NOT_RECEIVED] = loss->not_received;
        add_histogram(row, SUBSCRIBED_LATENCY, one->latency);
        add_histogram(row, SUBSCRIBED_CALLBACK, one->processing);
    }
    labels->size = server;
}

static void collect_channels(collection_t *self, const response_t *response,
                             metrics_labels_t *labels)
{
    const size_t server = labels->size;
    metrics_table_t *table = &self->tables.streams[STREAMS_CHANNELS];
    for (size_t i = 0; i < response->channel_count; i++) {
        const response_channel_t *one = &response->channels[i];
        struct timespec last;
        labels->size = server;
        metrics_labels_add(labels, "publisher",
                           metrics_publishers_name(self->publishers, one->name));
        metrics_row_t *row = metrics_table_add(table, metrics_model_keep(self->model, labels),
                                               name_set_hash(0, one->name));
        metrics_row_set_counts(row, CHANNEL_COLUMNS, &counters_of_channel, &one->counts);
        if (one->last_heartbeat && timespec_parse(one->last_heartbeat, &last))
            row->values[CHANNEL_LAST_HEARTBEAT] = metrics_nanos_of_time(&last);
    }
    labels->size = server;
}

/* ---- servers ---- */

static int64_t count_not_connected(const collection_t *self, const response_t *response)
{
    int64_t count = 0;
    for (size_t i = 0; i < response->not_connected_count; i++)
        count += filter_takes_attribute(self->filter, &response->not_connected[i]);
    return metrics_sum(count, response->truncated.not_connected);
}

/* Nothing is known of the thread without its state; with it, what isn't told isn't so. */
static void set_consumer(metrics_row_t *row, const response_consumer_t *consumer)
{
    if (!consumer->state)
        return;
    const bool is_busy = strcmp(consumer->state, "callbacks") == 0;
    row->values[SERVER_BUSY] = is_busy ? nanos_of(consumer->state_micros / 1e6) : 0;
    row->values[SERVER_DELAYED] =
        isnan(consumer->delayed_micros) ? 0 : nanos_of(consumer->delayed_micros / 1e6);
}

static void collect_agent(collection_t *self, const response_t *response, metrics_labels_t *labels)
{
    const size_t server = labels->size;
    metrics_labels_add(labels, "source", response_dialect_name(response->dialect));
    metrics_labels_add(labels, "version", response->agent_version);
    metrics_labels_add(labels, "tango_version", response->tango_version);
    metrics_row_t *row =
        metrics_table_add(&self->tables.agents, metrics_model_keep(self->model, labels), 0);
    row->values[0] = 1;
    labels->size = server;
}

static void begin_ranges(collection_t *self, answered_t *answered)
{
    for (size_t i = 0; i < METRICS_STREAM_TABLES; i++)
        answered->ranges[i].from = self->tables.streams[i].rows.count;
}

static void end_ranges(collection_t *self, answered_t *answered)
{
    for (size_t i = 0; i < METRICS_STREAM_TABLES; i++)
        answered->ranges[i].to = self->tables.streams[i].rows.count;
    metrics_watched_weigh(answered->watched, &self->tables, answered->ranges);
}

static void collect_answer(collection_t *self, const reply_t *reply, size_t place,
                           metrics_row_t *row, metrics_labels_t *labels)
{
    const response_t *response = reply->response;
    const snapshot_t *snapshot = self->seen->snapshot;
    row->values[SERVER_UP] = 1;
    if (reply->answered > 0 && snapshot->asked > 0)
        row->values[SERVER_POLL] = nanos_of(reply->answered - snapshot->asked);
    row->values[SERVER_ANSWERED] = metrics_nanos_of_time(&snapshot->time);
    row->values[SERVER_PUBLISHED] = (int64_t)response->publisher_count;
    row->values[SERVER_SUBSCRIBED] = (int64_t)response->subscription_count;
    if (response->not_connected_known)
        row->values[SERVER_NOT_CONNECTED] = count_not_connected(self, response);
    set_consumer(row, &response->consumer);
    metrics_row_set_counts(row, SERVER_COLUMNS, &counters_of_agent, &response->agent_counts);
    collect_agent(self, response, labels);
    collect_published(self, response, labels);
    collect_subscribed(self, reply, place, labels);
    collect_channels(self, response, labels);
}

/* Of one that failed, nothing is left but that, and when it last answered. */
static void collect_failure(const collection_t *self, const reply_t *reply, size_t place,
                            metrics_row_t *row)
{
    const snapshot_t *previous = self->seen->previous;
    const reply_t *last = previous ? snapshot_find(previous, reply->server, place) : NULL;
    row->values[SERVER_UP] = 0;
    if (last && last->response)
        row->values[SERVER_ANSWERED] = metrics_nanos_of_time(&last->time);
}

static void collect_server(collection_t *self, size_t place)
{
    const reply_t *reply = &self->seen->snapshot->replies[place];
    metrics_watched_t *watched =
        reply->server ? metrics_watch_find(&self->collector->watch, reply->server, place) : NULL;
    if (!watched)
        return;
    metrics_labels_t labels = {.size = 0};
    metrics_labels_add(&labels, "server", reply->server);
    answered_t answered = {.watched = watched,
                           .part = &self->seen->comparison->parts[place],
                           .labels = metrics_model_keep(self->model, &labels),
                           .row = self->tables.servers.rows.count};
    metrics_row_t *row = metrics_table_add(&self->tables.servers, answered.labels, 0);
    if (!reply->response || reply->error) {
        collect_failure(self, reply, place, row);
        return;
    }
    begin_ranges(self, &answered);
    collect_answer(self, reply, place, row, &labels);
    end_ranges(self, &answered);
    *(answered_t *)vector_add(&self->answered) = answered;
}

static bool omits_nothing(const response_t *response)
{
    const response_truncated_t *truncated = &response->truncated;
    return truncated->event_counters <= 0 && truncated->event_streams <= 0 &&
           truncated->event_callbacks <= 0 && truncated->event_channels <= 0;
}

/* Those that didn't answer keep their place within the limit. */
static void apply_limit(const metrics_collector_t *self)
{
    metrics_load_t **loads = memory_new(self->watch.count, sizeof(metrics_load_t *));
    for (size_t i = 0; i < self->watch.count; i++)
        loads[i] = &self->watch.list[i]->load;
    metrics_limit_apply(loads, self->watch.count, self->options->series_limit);
    free(loads);
}

/* Makes rows that may be shown of those of all streams. Returns how many are summed up. */
static size_t join_streams(collection_t *self)
{
    size_t summed = 0;
    apply_limit(self->collector);
    for (size_t i = 0; i < self->answered.count; i++) {
        const answered_t *one = &((const answered_t *)self->answered.items)[i];
        const changes_t *changes = one->part->changes;
        const metrics_load_t *load = &one->watched->load;
        metrics_watched_join(one->watched, &self->tables, one->ranges, one->labels,
                             changes && changes->counts_anew,
                             omits_nothing(one->part->reply->response));
        metrics_table_row(&self->tables.servers, one->row)->values[SERVER_SUMMED] =
            load->is_summed ? (int64_t)load->streams : 0;
        summed += load->is_summed ? load->streams : 0;
    }
    return summed;
}

/* ---- findings ---- */

static bool lasts(const finding_t *finding)
{
    return finding->state == FINDING_BEGAN || finding->state == FINDING_LASTS;
}

static void collect_finding(collection_t *self, const finding_t *finding)
{
    metrics_labels_t labels = {.size = 0};
    metrics_labels_add(&labels, "server", finding->about.server);
    metrics_labels_add(&labels, "rule", finding->rule->name);
    metrics_labels_add(&labels, "severity", severity_name(finding->severity));
    metrics_row_t *row =
        metrics_table_add(&self->tables.findings, metrics_model_keep(self->model, &labels), 0);
    row->values[0] = 1;
}

static void put_findings(const collection_t *self, const metrics_family_t *family,
                         const rule_count_t *counts)
{
    metrics_model_begin(self->model, family, rules_count);
    for (size_t i = 0; i < rules_count; i++)
        for (severity_t severity = SEVERITY_REMARK; severity <= SEVERITY_FAULT; severity++) {
            const int64_t count = counts[i].by_severity[severity];
            metrics_labels_t labels = {.size = 0};
            if (count == 0 && severity != rules[i].severity)
                continue;
            metrics_labels_add(&labels, "rule", rules[i].name);
            metrics_labels_add(&labels, "severity", severity_name(severity));
            metrics_model_add(self->model, metrics_model_keep(self->model, &labels), NULL, count);
        }
}

static const metrics_family_t findings_now_family = {"tango_event_findings", METRICS_GAUGE, false,
                                                     "Findings that last, by rule."};
static const metrics_family_t findings_began_family = {
    "tango_event_findings_begun_total", METRICS_COUNTER, false,
    "Times that a finding began since the exporter started, by rule."};

static void collect_findings(collection_t *self)
{
    size_t count = 0;
    const finding_t *const *list = findings_now(self->seen->findings, &count);
    rule_count_t *last = memory_new(rules_count, sizeof *last);
    for (size_t i = 0; i < count; i++) {
        const finding_t *finding = list[i];
        const ptrdiff_t rule = finding->rule - rules;
        if (!lasts(finding) || !shown_takes(self->filter, finding) || rule < 0 ||
            (size_t)rule >= rules_count)
            continue;
        last[rule].by_severity[finding->severity]++;
        self->collector->began[rule].by_severity[finding->severity] +=
            finding->state == FINDING_BEGAN;
        collect_finding(self, finding);
    }
    put_findings(self, &findings_now_family, last);
    put_findings(self, &findings_began_family, self->collector->began);
    free(last);
}

/* ---- an observation ---- */

static void settle(metrics_table_t *table)
{
    metrics_table_settle(table, (metrics_range_t){.to = table->rows.count}, NULL, NULL);
}

static size_t count_stream_series(const metrics_tables_t *tables)
{
    size_t count = 0;
    for (size_t i = 0; i < METRICS_STREAM_TABLES; i++)
        for (size_t j = 0; j < tables->streams[i].rows.count; j++) {
            const metrics_row_t *row = metrics_table_row(&tables->streams[i], j);
            count += row->labels ? metrics_row_series(row) : 0;
        }
    return count;
}

metrics_collected_t metrics_collect(metrics_collector_t *self, const observation_t *observation)
{
    metrics_collected_t result = {.model = metrics_model_new()};
    collection_t collection = {.collector = self,
                               .seen = observation,
                               .filter = &self->options->filter,
                               .publishers = metrics_publishers_new(observation->snapshot),
                               .model = result.model,
                               .answered.item_size = sizeof(answered_t)};
    metrics_tables_begin(&collection.tables);
    for (size_t i = 0; i < observation->snapshot->reply_count; i++)
        collect_server(&collection, i);
    metrics_watch_settle(&self->watch);
    result.summed_streams = join_streams(&collection);
    result.series = count_stream_series(&collection.tables);
    collect_findings(&collection);
    settle(&collection.tables.servers);
    settle(&collection.tables.agents);
    settle(&collection.tables.findings);
    metrics_tables_put(&collection.tables, result.model);
    metrics_tables_clear(&collection.tables);
    metrics_publishers_destroy(&collection.publishers);
    free(collection.answered.items);
    metrics_model_seal(result.model);
    return result;
}
