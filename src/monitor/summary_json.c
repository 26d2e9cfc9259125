#include "monitor/summary_json.h"

#include <stdlib.h>
#include <string.h>

#include "monitor/json_output.h"
#include "monitor/perf_rows.h"
#include "monitor/top.h"

static const char *state_of(change_kind_t kind)
{
    static const char *const names[] = {
        [CHANGE_NEW] = "new", [CHANGE_CHANGED] = "changed", [CHANGE_REMOVED] = "gone"};
    return names[kind];
}

/* How much a count grew; null where it can't be compared. */
static void write_step(json_output_t *json, const char *key, count_step_t step)
{
    const bool known = step.kind == COUNT_UP || step.kind == COUNT_SAME;
    json_output_count(json, key, known ? step.by : RESPONSE_UNKNOWN);
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
    json_output_count(json, "pushed", row->pushed);
    write_step(json, "pushed_step", row->step);
    json_output_real(json, "rate", row->rate);
    json_output_boolean(json, "restarted", row->restarted);
    json_output_boolean(json, "has_subscribers", after && after->has_subscribers);
    write_duration(json, "push_event_micros", &row->push_event);
}

static void write_subscription(json_output_t *json, const subscription_row_t *row)
{
    const response_subscription_t *shown =
        row->change->after ? row->change->after : row->change->before;
    json_output_string(json, "topic", row->topic);
    json_output_string(json, "state", state_of(row->change->kind));
    json_output_string(json, "channel", shown->channel_name);
    json_output_count(json, "received", shown->event_count);
    write_step(json, "received_step", row->received);
    json_output_count(json, "missed", shown->missed_event_count);
    write_step(json, "missed_step", row->missed);
    json_output_count(json, "lost", shown->lost_event_count);
    write_step(json, "lost_step", row->lost);
    json_output_count(json, "outage_lost", shown->outage_lost_event_count);
    write_step(json, "outage_lost_step", row->outage_lost);
    json_output_count(json, "discarded", shown->discarded_event_count);
    write_step(json, "discarded_step", row->discarded);
    json_output_count(json, "callbacks", shown->callback_count);
    json_output_count(json, "publisher_restarts", shown->publisher_restart_count);
    write_step(json, "publisher_restarts_step", row->publisher_restarts);
    json_output_string(json, "last_resubscribed", shown->last_resubscribed);
    json_output_real(json, "rate", row->rate);
    json_output_boolean(json, "restarted", row->restarted);
    json_output_boolean(json, "publisher_restarted", row->publisher_restarted);
    write_duration(json, "latency_micros", &row->latency);
    write_duration(json, "processing_micros", &row->processing);
}

static void write_channels(json_output_t *json, const changes_t *changes,
                           const stream_filter_t *filter)
{
    json_output_open(json, "channels", '[');
    for (size_t i = 0; i < changes->channel_count; i++) {
        const channel_change_t *change = &changes->channels[i];
        const response_channel_t *shown = change->after ? change->after : change->before;
        json_output_open(json, NULL, '{');
        json_output_string(json, "channel", shown->name);
        json_output_string(json, "state", state_of(change->kind));
        json_output_string(json, "endpoint", shown->endpoint);
        json_output_close(json, '}');
    }
    json_output_close(json, ']');
    json_output_open(json, "not_connected", '[');
    for (size_t i = 0; i < changes->not_connected_count; i++) {
        const not_connected_change_t *change = &changes->not_connected[i];
        const response_not_connected_t *shown = change->after ? change->after : change->before;
        if (!stream_filter_takes_attribute(filter, shown))
            continue;
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

static void write_streams(json_output_t *json, const server_part_t *part,
                          const summary_options_t *options)
{
    json_output_open(json, "published", '[');
    for (size_t i = 0; i < part->published_count; i++) {
        json_output_open(json, NULL, '{');
        write_published(json, &part->published[i]);
        json_output_close(json, '}');
    }
    json_output_close(json, ']');
    json_output_open(json, "subscriptions", '[');
    for (size_t i = 0; i < part->subscription_count; i++) {
        json_output_open(json, NULL, '{');
        write_subscription(json, &part->subscriptions[i]);
        json_output_close(json, '}');
    }
    json_output_close(json, ']');
    write_channels(json, part->changes, &options->filter);
    if (options->perf) {
        write_samples(json, "pushed_samples", part->reply->response, PERF_PUSHED);
        write_samples(json, "received_samples", part->reply->response, PERF_RECEIVED);
    }
}

static void write_server(json_output_t *json, const server_part_t *part,
                         const summary_options_t *options)
{
    static const char *const sources[] = {[RESPONSE_LEGACY] = "patched server",
                                          [RESPONSE_VERSION_1] = "built-in command",
                                          [RESPONSE_AGENT] = "agent"};
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
    json_output_string(json, "source", sources[response->dialect]);
    json_output_count(json, "pid", response->agent_pid);
    json_output_boolean(json, "restarted", part->changes->server_restarted);
    json_output_boolean(json, "failed_before", part->failed != NULL);
    json_output_real(json, "seconds", part->seconds);
    json_output_string(json, "in_callback_of", consumer->topic);
    json_output_real(json, "in_callback_micros", consumer->topic ? consumer->state_micros : 0);
    json_output_real(json, "delayed_micros", consumer->delayed_micros);
    json_output_count(json, "uncounted", response->agent_uncounted);
    if (!options->top)
        write_streams(json, part, options);
    json_output_close(json, '}');
}

static void write_top(json_output_t *json, const comparison_t *comparison,
                      const summary_options_t *options)
{
    size_t count = 0;
    top_row_t *rows = top_rows_new(comparison, options, &count);
    json_output_open(json, "top", '[');
    for (size_t i = 0; i < count; i++) {
        json_output_open(json, NULL, '{');
        json_output_string(json, "server", rows[i].part->reply->server);
        json_output_string(json, "direction", rows[i].published ? "pushed" : "received");
        if (rows[i].published)
            write_published(json, rows[i].published);
        else
            write_subscription(json, rows[i].subscription);
        json_output_close(json, '}');
    }
    json_output_close(json, ']');
    free(rows);
}

void summary_json_write(FILE *out, const comparison_t *comparison, const snapshot_t *current,
                        const summary_options_t *options)
{
    json_output_t json = {.out = out};
    json_output_open(&json, NULL, '{');
    json_output_time(&json, "time", &current->time);
    json_output_count(&json, "servers_asked", (int64_t)comparison->part_count);
    json_output_count(&json, "servers_failed", (int64_t)comparison->failed);
    if (options->top)
        write_top(&json, comparison, options);
    json_output_open(&json, "servers", '[');
    for (size_t i = 0; i < comparison->part_count; i++)
        write_server(&json, &comparison->parts[i], options);
    json_output_close(&json, ']');
    json_output_close(&json, '}');
}
