#include "monitor/view/json/summary_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_output.h"
#include "monitor/analysis/findings/finding_json.h"
#include "monitor/analysis/perf_rows.h"

#if JSON_OUTPUT_NULL != RESPONSE_UNKNOWN
#error "what isn't known has one number"
#endif

static const char *state_of(change_kind_t kind)
{
    static const char *const names[] = {[CHANGE_NEW] = "new",
                                        [CHANGE_CHANGED] = "changed",
                                        [CHANGE_REMOVED] = "gone",
                                        [CHANGE_UNSURE] = NULL};
    return names[kind];
}

/* A counter and, where steps isn't NULL, how much it grew. */
static void write_counter(json_output_t *json, const counter_t *counter, const void *counts,
                          const void *steps)
{
    static const char suffix[] = "_step";
    json_output_count(json, counter->json, counter_of(counter, counts));
    if (!steps)
        return;
    char key[COUNTER_JSON_SIZE + sizeof suffix];
    const size_t length = strlen(counter->json);
    memcpy(key, counter->json, length);
    memcpy(key + length, suffix, sizeof suffix);
    json_output_count(json, key, counter_of(counter, steps));
}

static void write_told(json_output_t *json, const char *key, response_told_t told)
{
    if (told == RESPONSE_NOT_TOLD)
        json_output_string(json, key, NULL);
    else
        json_output_boolean(json, key, told == RESPONSE_YES);
}

/* Lost events: how many, and the source of that number. */
static void write_loss(json_output_t *json, const subscription_row_t *row, bool first)
{
    static const char *const sources[] = {
        [LOSS_UNKNOWN] = NULL, [LOSS_COUNTED] = "agent", [LOSS_DERIVED] = "derived"};
    const loss_t *loss = &row->loss;
    const bool has_step = !first && row->change->after &&
                          (loss->step > 0 || (loss->source != LOSS_UNKNOWN &&
                                              row->steps.event_count != RESPONSE_UNKNOWN));
    json_output_count(json, "lost", loss->lost);
    json_output_count(json, "lost_step", has_step ? loss->step : RESPONSE_UNKNOWN);
    json_output_boolean(json, "lost_is_minimum", loss->is_minimum);
    json_output_boolean(json, "lost_step_is_minimum", has_step && loss->step_is_minimum);
    json_output_string(json, "lost_source", sources[loss->source]);
    if (loss->source == LOSS_DERIVED)
        json_output_time(json, "lost_since", &loss->since);
    else
        json_output_string(json, "lost_since", NULL);
    json_output_count(json, "pushed", loss->pushed);
    json_output_count(json, "not_received", first ? RESPONSE_UNKNOWN : loss->not_received);
}

static void write_duration(json_output_t *json, const char *key, const duration_t *duration)
{
    if (duration->count == 0) {
        json_output_string(json, key, NULL);
        return;
    }
    json_output_open(json, key, '{');
    json_output_count(json, "count", duration->count);
    json_output_real(json, "median", duration->median_micros);
    json_output_real(json, "percentile_90", duration->percentile_90_micros);
    json_output_real(json, "percentile_99", duration->percentile_99_micros);
    json_output_real(json, "maximum", duration->maximum_micros);
    json_output_close(json, '}');
}

static void write_published(json_output_t *json, const published_row_t *row)
{
    const response_publisher_t *after = row->change->after;
    json_output_string(json, "stream", row->name);
    json_output_string(json, "state", state_of(row->change->kind));
    for (size_t i = 0; i < counters_of_publisher.count; i++) {
        const counter_t *counter = &counters_of_publisher.list[i];
        if (counter->json)
            write_counter(json, counter, &row->counts, &row->steps);
    }
    json_output_real(json, "rate", row->rate);
    json_output_boolean(json, "restarted", row->restarted);
    write_told(json, "has_subscribers", after ? after->has_subscribers : RESPONSE_NOT_TOLD);
    write_duration(json, "push_event_micros", &row->push_event);
}

static void write_counters(json_output_t *json, const server_part_t *part,
                           const subscription_row_t *row)
{
    const response_subscription_t *shown =
        row->change->after ? row->change->after : row->change->before;
    for (size_t i = 0; i < counters_of_subscription.count; i++) {
        const counter_t *counter = &counters_of_subscription.list[i];
        if (!counter->json)
            continue;
        if (counter->kind == COUNTER_LOST)
            write_loss(json, row, part->changes->first);
        else
            write_counter(json, counter, row->counts,
                          counter->kind == COUNTER_LEVEL ? NULL : &row->steps);
        if (counter->offset == offsetof(subscription_counts_t, error_event_count))
            json_output_string(json, "last_error_event", shown->last_error_event);
    }
}

static void write_subscription(json_output_t *json, const server_part_t *part,
                               const subscription_row_t *row)
{
    const response_subscription_t *shown =
        row->change->after ? row->change->after : row->change->before;
    json_output_string(json, "topic", row->topic);
    json_output_string(json, "state", state_of(row->change->kind));
    json_output_string(json, "channel", shown->channel_name);
    write_counters(json, part, row);
    json_output_string(json, "last_resubscribed", shown->last_resubscribed);
    json_output_real(json, "rate", row->rate);
    json_output_boolean(json, "restarted", row->restarted);
    json_output_boolean(json, "publisher_restarted", row->publisher_restarted);
    write_duration(json, "latency_micros", &row->latency);
    write_duration(json, "processing_micros", &row->processing);
}

static void write_channel(json_output_t *json, const channel_row_t *row)
{
    const response_channel_t *shown = row->shown;
    json_output_string(json, "channel", shown->name);
    json_output_string(json, "state", state_of(row->change->kind));
    json_output_string(json, "endpoint", shown->endpoint);
    json_output_string(json, "event_endpoint", shown->event_endpoint);
    json_output_string(json, "last_heartbeat", shown->last_heartbeat);
    for (size_t i = 0; i < counters_of_channel.count; i++)
        write_counter(json, &counters_of_channel.list[i], &shown->counts, &row->steps);
}

static void write_channels(json_output_t *json, const shown_server_t *server)
{
    json_output_open(json, "channels", '[');
    for (size_t i = 0; i < server->part->channel_count; i++) {
        json_output_open(json, NULL, '{');
        write_channel(json, &server->part->channels[i]);
        json_output_close(json, '}');
    }
    json_output_close(json, ']');
    json_output_open(json, "not_connected", '[');
    for (size_t i = 0; i < server->not_connected_count; i++) {
        const not_connected_change_t *change = server->not_connected[i];
        const response_not_connected_t *shown = change->after ? change->after : change->before;
        json_output_open(json, NULL, '{');
        json_output_string(json, "device", shown->device);
        json_output_string(json, "attribute", shown->attribute);
        json_output_string(json, "event_type", shown->event_type);
        json_output_string(json, "state", state_of(change->kind));
        json_output_close(json, '}');
    }
    json_output_close(json, ']');
}

static void write_samples(json_output_t *json, const char *key, const response_t *response,
                          perf_side_t side)
{
    size_t count = 0;
    perf_row_t *rows = perf_rows_new(response, side, &count);
    json_output_open(json, key, '{');
    for (size_t i = 0; i < count; i++) {
        const statistics_t *statistics = &rows[i].statistics;
        json_output_open(json, rows[i].key, '{');
        json_output_count(json, "count", (int64_t)statistics->count);
        json_output_real(json, "mean", statistics->mean);
        json_output_real(json, "standard_error", statistics->standard_error);
        json_output_real(json, "minimum", statistics->minimum);
        json_output_real(json, "percentile_1", statistics->percentile_1);
        json_output_real(json, "percentile_10", statistics->percentile_10);
        json_output_real(json, "median", statistics->median);
        json_output_real(json, "percentile_90", statistics->percentile_90);
        json_output_real(json, "percentile_99", statistics->percentile_99);
        json_output_real(json, "maximum", statistics->maximum);
        json_output_close(json, '}');
    }
    json_output_close(json, '}');
    free(rows);
}

static void write_streams(json_output_t *json, const shown_server_t *server,
                          const summary_options_t *options)
{
    const response_t *response = server->part->reply->response;
    json_output_open(json, "published", '[');
    for (size_t i = 0; i < server->published_count; i++) {
        json_output_open(json, NULL, '{');
        write_published(json, server->published[i]);
        json_output_close(json, '}');
    }
    json_output_close(json, ']');
    json_output_open(json, "subscriptions", '[');
    for (size_t i = 0; i < server->subscription_count; i++) {
        json_output_open(json, NULL, '{');
        write_subscription(json, server->part, server->subscriptions[i]);
        json_output_close(json, '}');
    }
    json_output_close(json, ']');
    write_channels(json, server);
    if (options->perf) {
        write_samples(json, "pushed_samples", response, PERF_PUSHED);
        write_samples(json, "received_samples", response, PERF_RECEIVED);
    }
}

static void write_truncated(json_output_t *json, const response_truncated_t *truncated)
{
    json_output_open(json, "left_out", '{');
    json_output_count(json, "counters", truncated->event_counters);
    json_output_count(json, "published", truncated->event_streams);
    json_output_count(json, "subscriptions", truncated->event_callbacks);
    json_output_count(json, "channels", truncated->event_channels);
    json_output_count(json, "not_connected", truncated->not_connected);
    json_output_close(json, '}');
}

static void write_server(json_output_t *json, const shown_server_t *server,
                         const summary_options_t *options)
{
    const server_part_t *part = server->part;
    json_output_open(json, NULL, '{');
    json_output_string(json, "server", part->reply->server);
    json_output_string(json, "state", part->changes ? "answered" : "failed");
    if (!part->changes) {
        json_output_string(json, "error", part->reply->error ? part->reply->error : "no answer");
        json_output_close(json, '}');
        return;
    }
    const response_t *response = part->reply->response;
    const response_consumer_t *consumer = &response->consumer;
    json_output_string(json, "source", response_dialect_name(response->dialect));
    json_output_count(json, "pid", response->agent_pid);
    json_output_boolean(json, "restarted", part->changes->server_restarted);
    json_output_boolean(json, "attached_again", part->changes->attached_again);
    json_output_string(json, "loaded", response->agent_loaded);
    json_output_string(json, "attached", response->agent_attached);
    json_output_string(json, "process_started", response->process_started);
    json_output_boolean(json, "failed_before", part->failed != NULL);
    json_output_real(json, "seconds", part->seconds);
    json_output_string(json, "in_callback_of", consumer->topic);
    json_output_real(json, "in_callback_micros", consumer->topic ? consumer->state_micros : 0);
    json_output_real(json, "delayed_micros", consumer->delayed_micros);
    for (size_t i = 0; i < counters_of_agent.count; i++)
        write_counter(json, &counters_of_agent.list[i], &response->agent_counts, NULL);
    write_truncated(json, &response->truncated);
    if (!options->top)
        write_streams(json, server, options);
    json_output_close(json, '}');
}

static void write_top(json_output_t *json, const shown_t *shown, const summary_options_t *options)
{
    size_t count = 0;
    ranking_row_t *rows = ranking_new(shown, options->top_key, options->top, &count);
    json_output_open(json, "top", '[');
    for (size_t i = 0; i < count; i++) {
        json_output_open(json, NULL, '{');
        json_output_string(json, "server", rows[i].server->part->reply->server);
        json_output_string(json, "direction", rows[i].published ? "pushed" : "received");
        if (rows[i].published)
            write_published(json, rows[i].published);
        else
            write_subscription(json, rows[i].server->part, rows[i].subscription);
        json_output_close(json, '}');
    }
    json_output_close(json, ']');
    free(rows);
}

static void write_findings(json_output_t *json, const shown_t *shown, const filter_t *filter)
{
    size_t count = 0;
    const finding_t *const *now = shown->findings ? findings_now(shown->findings, &count) : NULL;
    json_output_open(json, "findings", '[');
    for (size_t i = 0; i < count; i++)
        if (shown_takes(filter, now[i]))
            finding_json_write(json, NULL, now[i]);
    json_output_close(json, ']');
}

void summary_json_write(FILE *out, const shown_t *shown, const snapshot_t *current,
                        const summary_options_t *options)
{
    json_output_t json = {.out = out};
    json_output_open(&json, NULL, '{');
    json_output_time(&json, "time", &current->time);
    json_output_count(&json, "servers_asked", (int64_t)shown->count);
    json_output_count(&json, "servers_failed", (int64_t)shown->failed);
    json_output_count(&json, "summaries_left_out", (int64_t)options->left_out);
    write_findings(&json, shown, &options->filter);
    if (options->top)
        write_top(&json, shown, options);
    json_output_open(&json, "servers", '[');
    for (size_t i = 0; i < shown->count; i++)
        write_server(&json, &shown->servers[i], options);
    json_output_close(&json, ']');
    json_output_close(&json, '}');
}
