#include "monitor/view/report/report_json.h"

#include <math.h>

#include "base/json_output.h"
#include "base/timespec.h"
#include "monitor/analysis/findings/finding_json.h"

/* null for a time that isn't known. */
static void write_time(json_output_t *json, const char *key, const struct timespec *time)
{
    if (time->tv_sec != 0 || time->tv_nsec != 0)
        json_output_time(json, key, time);
    else
        json_output_string(json, key, NULL);
}

static double seconds_between(const struct timespec *begin, const struct timespec *end)
{
    return begin->tv_sec != 0 && end->tv_sec != 0 ? timespec_seconds_between(begin, end) : NAN;
}

/* ---- durations ---- */

static const char *const durations[REPORT_DURATIONS] = {
    [REPORT_PUSH] = "push", [REPORT_LATENCY] = "latency", [REPORT_PROCESSING] = "processing"};

/* An object for each that was measured, and null for the others. */
static void write_percentiles(json_output_t *json, const report_percentiles_t *percentiles)
{
    for (size_t i = 0; i < REPORT_DURATIONS; i++) {
        const report_percentiles_t *one = &percentiles[i];
        if (one->count <= 0) {
            json_output_string(json, durations[i], NULL);
            continue;
        }
        json_output_open(json, durations[i], '{');
        json_output_count(json, "events", one->count);
        json_output_real(json, "p50_seconds", one->median);
        json_output_real(json, "p90_seconds", one->percentile_90);
        json_output_real(json, "p99_seconds", one->percentile_99);
        json_output_real(json, "max_seconds", one->maximum);
        json_output_close(json, '}');
    }
}

/* ---- everything ---- */

static void write_losses(json_output_t *json, int64_t lost, bool is_minimum, bool is_derived,
                         int64_t in_outage)
{
    const bool is_known = lost != RESPONSE_UNKNOWN;
    json_output_count(json, "lost", lost);
    json_output_boolean(json, "lost_is_minimum", is_known && is_minimum);
    json_output_boolean(json, "lost_is_derived", is_known && is_derived);
    json_output_count(json, "lost_in_outage", is_known ? in_outage : RESPONSE_UNKNOWN);
}

static void write_whole(json_output_t *json, const report_t *self)
{
    write_time(json, "begin", &self->first);
    write_time(json, "end", &self->last);
    json_output_real(json, "seconds", seconds_between(&self->first, &self->last));
    json_output_real(json, "period_seconds", self->period);
    json_output_count(json, "polls", self->polls);
    json_output_count(json, "lost_polls", self->lost_polls);
    json_output_count(json, "broken_lines", self->broken_lines);
    json_output_real(json, "gap_seconds", self->gap_seconds);
    json_output_count(json, "restarts", self->restarts);
    json_output_count(json, "pushed", self->pushed.events);
    json_output_count(json, "received", self->received.events);
    write_losses(json, self->knows_lost ? self->received.lost : RESPONSE_UNKNOWN,
                 self->lost_is_minimum, self->lost_is_derived, self->received.lost_in_outage);
    json_output_count(json, "discarded", self->received.discarded);
    write_percentiles(json, self->percentiles);
}

static void write_findings(json_output_t *json, const report_t *self)
{
    json_output_open(json, "findings", '[');
    for (size_t i = 0; i < self->finding_count; i++) {
        json_output_open(json, NULL, '{');
        write_time(json, "first", &self->findings[i]->first);
        finding_json_write_members(json, self->findings[i]);
        json_output_close(json, '}');
    }
    json_output_close(json, ']');
}

/* ---- servers ---- */

static void write_server(json_output_t *json, const report_server_t *server)
{
    json_output_open(json, NULL, '{');
    json_output_string(json, "server", server->name);
    json_output_count(json, "polls", server->polls);
    json_output_count(json, "answered", server->polls - server->failures);
    json_output_count(json, "failed", server->failures);
    json_output_count(json, "restarts", server->restarts);
    json_output_real(json, "failed_seconds", server->failed_seconds);
    write_time(json, "first_answer", &server->first);
    write_time(json, "last_answer", &server->last);
    json_output_boolean(json, "fails", server->fails);
    json_output_string(json, "error", server->error);
    json_output_string(json, "source", server->source);
    json_output_string(json, "agent_version", server->agent_version);
    json_output_string(json, "tango_version", server->tango_version);
    json_output_string(json, "agent_loaded", server->agent_loaded);
    json_output_string(json, "agent_attached", server->agent_attached);
    json_output_string(json, "process_started", server->process_started);
    json_output_boolean(json, "measured", server->perf_on);
    json_output_close(json, '}');
}

static void write_servers(json_output_t *json, const report_t *self)
{
    json_output_open(json, "servers", '[');
    for (size_t i = 0; i < self->server_count; i++)
        write_server(json, &self->servers[i]);
    json_output_close(json, ']');
}

/* ---- streams ---- */

static void write_counters(json_output_t *json, const counters_t *counters, const void *counts)
{
    for (size_t i = 0; i < counters->count; i++) {
        const char *name = counter_table_name(&counters->list[i]);
        if (name)
            json_output_count(json, name, counter_of(&counters->list[i], counts));
    }
}

static void write_row(json_output_t *json, const report_t *self, const report_row_t *row)
{
    json_output_open(json, NULL, '{');
    json_output_string(json, "server", self->servers[row->server].name);
    if (row->is_published) {
        write_counters(json, &counters_of_publisher, &row->pushed);
    } else {
        json_output_string(json, "topic", row->topic);
        write_counters(json, &counters_of_subscription, &row->received);
        json_output_boolean(json, "lost_is_minimum", row->knows_lost && row->lost_is_minimum);
        json_output_boolean(json, "lost_is_derived", row->knows_lost && row->is_derived);
        json_output_count(json, "not_received", row->not_received);
    }
    json_output_real(json, "peak_rate", row->rate);
    write_time(json, "worst_time", &row->worst);
    write_percentiles(json, row->percentiles);
    json_output_close(json, '}');
}

static void write_rows(json_output_t *json, const char *key, const report_t *self, size_t first,
                       size_t count)
{
    json_output_open(json, key, '[');
    for (size_t i = 0; i < count; i++)
        write_row(json, self, self->stream_rows[first + i]);
    json_output_close(json, ']');
}

static void write_stream(json_output_t *json, const report_t *self, const report_stream_t *stream)
{
    json_output_open(json, NULL, '{');
    json_output_string(json, "stream", stream->name);
    json_output_count(json, "pushed", stream->pushed);
    json_output_count(json, "received", stream->received);
    write_losses(json, stream->lost, stream->lost_is_minimum, stream->lost_is_derived,
                 stream->lost_in_outage);
    json_output_count(json, "not_received", stream->not_received);
    json_output_count(json, "findings", (int64_t)stream->findings);
    write_rows(json, "publishers", self, stream->first_publisher, stream->publisher_count);
    write_rows(json, "subscriptions", self, stream->first_subscription, stream->subscription_count);
    json_output_close(json, '}');
}

static void write_streams(json_output_t *json, const report_t *self)
{
    json_output_open(json, "streams", '[');
    for (size_t i = 0; i < self->stream_count; i++)
        write_stream(json, self, &self->streams[i]);
    json_output_close(json, ']');
}

/* ---- time ---- */

static void write_incidents(json_output_t *json, const report_t *self)
{
    json_output_open(json, "incidents", '[');
    for (size_t i = 0; i < self->incident_count; i++) {
        const report_incident_t *one = &self->incidents[i];
        json_output_open(json, NULL, '{');
        json_output_string(json, "kind", incident_kind_name(one->kind));
        write_time(json, "begin", &one->begin);
        write_time(json, "end", &one->end);
        json_output_real(json, "seconds", seconds_between(&one->begin, &one->end));
        json_output_boolean(json, "lasts", one->lasts);
        json_output_string(json, "server",
                           one->server == REPORT_NONE ? NULL : self->servers[one->server].name);
        json_output_string(json, "text", one->text);
        json_output_close(json, '}');
    }
    json_output_close(json, ']');
}

static void write_minutes(json_output_t *json, const report_t *self)
{
    json_output_open(json, "minutes", '[');
    for (size_t i = 0; i < self->minute_count; i++) {
        const report_minute_t *one = &self->minutes[i];
        json_output_open(json, NULL, '{');
        write_time(json, "begin", &one->begin);
        json_output_count(json, "pushed", one->pushed);
        json_output_count(json, "received", one->received);
        json_output_count(json, "lost", one->lost);
        json_output_count(json, "failed", one->failures);
        json_output_count(json, "restarts", one->restarts);
        json_output_real(json, "latency_seconds", one->latency);
        json_output_real(json, "processing_seconds", one->processing);
        json_output_string(json, "stream", one->stream);
        json_output_close(json, '}');
    }
    json_output_close(json, ']');
}

static void write_column(json_output_t *json, const report_axis_t *axis, size_t place,
                         const report_column_t *column)
{
    const struct timespec begin = timespec_later(&axis->begin, (double)place * axis->width);
    json_output_open(json, NULL, '{');
    write_time(json, "begin", &begin);
    json_output_count(json, "polls", column->polls);
    json_output_count(json, "answered", column->answers);
    json_output_count(json, "failed", column->failures);
    json_output_count(json, "restarts", column->restarts);
    json_output_count(json, "findings", column->findings);
    json_output_count(json, "pushed", column->pushed);
    json_output_count(json, "received", column->received);
    json_output_count(json, "lost", column->lost);
    json_output_count(json, "lost_in_outage", column->lost_in_outage);
    json_output_real(json, "peak_push_rate", column->push_rate);
    json_output_real(json, "peak_receive_rate", column->receive_rate);
    json_output_real(json, "latency_seconds", column->latency);
    json_output_real(json, "processing_seconds", column->processing);
    json_output_close(json, '}');
}

/* Empty ones are left out: each says when it begins. */
static void write_columns(json_output_t *json, const report_t *self)
{
    json_output_real(json, "column_seconds", self->axis.count > 0 ? self->axis.width : NAN);
    json_output_open(json, "columns", '[');
    for (size_t i = 0; i < self->axis.count; i++)
        if (self->columns[i].polls > 0)
            write_column(json, &self->axis, i, &self->columns[i]);
    json_output_close(json, ']');
}

static void write_left_out(json_output_t *json, const report_t *self)
{
    json_output_open(json, "left_out", '{');
    json_output_count(json, "streams", (int64_t)self->streams_left_out);
    json_output_count(json, "servers", (int64_t)self->servers_left_out);
    json_output_count(json, "incidents", (int64_t)self->incidents_left_out);
    json_output_count(json, "findings", (int64_t)self->findings_left_out);
    json_output_boolean(json, "durations", self->cells_are_incomplete);
    json_output_close(json, '}');
}

void report_json_write(FILE *out, const report_t *self)
{
    json_output_t json = {.out = out};
    json_output_open(&json, NULL, '{');
    write_whole(&json, self);
    write_findings(&json, self);
    write_servers(&json, self);
    write_streams(&json, self);
    write_incidents(&json, self);
    write_minutes(&json, self);
    write_columns(&json, self);
    write_left_out(&json, self);
    json_output_close(&json, '}');
}
