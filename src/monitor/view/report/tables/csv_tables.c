#include "monitor/view/report/tables/csv_tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/timespec.h"
#include "monitor/analysis/findings/rules.h"

static bool is_time(const struct timespec *time)
{
    return time->tv_sec != 0 || time->tv_nsec != 0;
}

/* Empty if it isn't known. */
static void put_told(csv_file_t *file, bool is_known, bool value)
{
    if (is_known)
        csv_file_boolean(file, value);
    else
        csv_file_cell(file, "");
}

/* ---- totals ---- */

static void name_counters(csv_file_t *file, const counters_t *counters)
{
    for (size_t i = 0; i < counters->count; i++) {
        const char *name = counter_table_name(&counters->list[i]);
        if (name)
            csv_file_cell(file, name);
    }
}

/* counts is NULL in rows that don't have them. */
static void put_counters(csv_file_t *file, const counters_t *counters, const void *counts)
{
    for (size_t i = 0; i < counters->count; i++)
        if (counter_table_name(&counters->list[i]))
            csv_file_count(file,
                           counts ? counter_of(&counters->list[i], counts) : RESPONSE_UNKNOWN);
}

static void put_percentiles(csv_file_t *file, const report_percentiles_t *percentiles)
{
    const bool any = percentiles->count > 0;
    csv_file_count(file, any ? percentiles->count : RESPONSE_UNKNOWN);
    csv_file_real(file, any ? percentiles->median : NAN);
    csv_file_real(file, any ? percentiles->percentile_90 : NAN);
    csv_file_real(file, any ? percentiles->percentile_99 : NAN);
    csv_file_real(file, any ? percentiles->maximum : NAN);
}

/* Mostly one; several are separated by blanks. */
static void put_publishers(csv_file_t *file, const report_t *report, const report_stream_t *stream)
{
    char *names = memory_string("");
    for (size_t i = 0; i < stream->publisher_count; i++) {
        const report_row_t *row = report->stream_rows[stream->first_publisher + i];
        char *more =
            memory_format("%s%s%s", names, i > 0 ? " " : "", report->servers[row->server].name);
        free(names);
        names = more;
    }
    csv_file_text(file, names);
    free(names);
}

static void put_row(csv_file_t *file, const report_t *report, const report_stream_t *stream,
                    const report_row_t *row)
{
    const bool is_received = !row->is_published;
    csv_file_text(file, report->servers[row->server].name);
    csv_file_text(file, stream->name);
    csv_file_cell(file, is_received ? "subscriber" : "publisher");
    put_publishers(file, report, stream);
    csv_file_text(file, row->topic);
    put_counters(file, &counters_of_publisher, is_received ? NULL : &row->pushed);
    put_counters(file, &counters_of_subscription, is_received ? &row->received : NULL);
    csv_file_count(file, is_received ? row->not_received : RESPONSE_UNKNOWN);
    const bool knows_lost = is_received && row->knows_lost;
    put_told(file, knows_lost, row->lost_is_minimum);
    put_told(file, knows_lost, row->is_derived);
    csv_file_real(file, row->rate);
    csv_file_time(file, &row->worst);
    for (size_t i = 0; i < REPORT_DURATIONS; i++)
        put_percentiles(file, &row->percentiles[i]);
    csv_file_end_row(file);
}

void csv_totals_write(csv_file_t *file, const report_t *report)
{
    csv_file_cell(file, "server,stream,role,publisher,topic");
    name_counters(file, &counters_of_publisher);
    name_counters(file, &counters_of_subscription);
    csv_file_cell(file, "not_received,lost_is_minimum,lost_is_derived,peak_rate,worst_time");
    for (size_t i = 0; i < REPORT_DURATIONS; i++) {
        static const char *const names[REPORT_DURATIONS] = {
            "push_events,push_p50_seconds,push_p90_seconds,push_p99_seconds,push_max_seconds",
            "latency_events,latency_p50_seconds,latency_p90_seconds,latency_p99_seconds,"
            "latency_max_seconds",
            "processing_events,processing_p50_seconds,processing_p90_seconds,"
            "processing_p99_seconds,processing_max_seconds"};
        csv_file_cell(file, names[i]);
    }
    csv_file_end_row(file);
    for (size_t i = 0; i < report->stream_count; i++) {
        const report_stream_t *stream = &report->streams[i];
        for (size_t j = 0; j < stream->publisher_count; j++)
            put_row(file, report, stream, report->stream_rows[stream->first_publisher + j]);
        for (size_t j = 0; j < stream->subscription_count; j++)
            put_row(file, report, stream, report->stream_rows[stream->first_subscription + j]);
    }
}

/* ---- findings ---- */

static void put_finding(csv_file_t *file, const finding_t *finding)
{
    const finding_about_t *about = &finding->about;
    csv_file_text(file, finding->rule->name);
    csv_file_text(file, finding->rule->group);
    csv_file_text(file, severity_name(finding->severity));
    csv_file_text(file, finding_state_name(finding->state));
    csv_file_time(file, &finding->first);
    csv_file_time(file, &finding->seen);
    csv_file_real(file, finding->seconds_in_all);
    csv_file_count(file, (int64_t)finding->times);
    csv_file_count(file, finding->events_in_all);
    put_told(file, finding->events_in_all != RESPONSE_UNKNOWN, finding->events_is_minimum);
    csv_file_text(file, about->server);
    csv_file_text(file, about->stream);
    csv_file_text(file, about->publisher);
    csv_file_text(file, about->subscriber);
    csv_file_text(file, about->object);
    csv_file_text(file, finding->text);
    csv_file_text(file, finding->advice);
    csv_file_text(file, finding->identity);
    csv_file_end_row(file);
}

void csv_findings_write(csv_file_t *file, const report_t *report)
{
    csv_file_cell(file,
                  "rule,group,severity,state,begin,end,seconds,times,events,events_is_minimum,"
                  "server,stream,publisher,subscriber,object,text,advice,identity");
    csv_file_end_row(file);
    for (size_t i = 0; i < report->finding_count; i++)
        put_finding(file, report->findings[i]);
}

/* ---- servers ---- */

static void put_server(csv_file_t *file, const report_server_t *server)
{
    csv_file_text(file, server->name);
    csv_file_count(file, server->polls);
    csv_file_count(file, server->polls - server->failures);
    csv_file_count(file, server->failures);
    csv_file_count(file, server->restarts);
    csv_file_real(file, server->failed_seconds);
    csv_file_time(file, &server->first);
    csv_file_time(file, &server->last);
    csv_file_boolean(file, server->fails);
    csv_file_text(file, server->error);
    csv_file_text(file, server->source);
    csv_file_text(file, server->agent_version);
    csv_file_text(file, server->tango_version);
    csv_file_text(file, server->agent_loaded);
    csv_file_text(file, server->agent_attached);
    csv_file_text(file, server->process_started);
    csv_file_boolean(file, server->perf_on);
    csv_file_end_row(file);
}

void csv_servers_write(csv_file_t *file, const report_t *report)
{
    csv_file_cell(file, "server,polls,answered,failed,restarts,failed_seconds,first_answer,"
                        "last_answer,fails,error,source,agent_version,tango_version,"
                        "agent_loaded,agent_attached,process_started,measured");
    csv_file_end_row(file);
    for (size_t i = 0; i < report->server_count; i++)
        put_server(file, &report->servers[i]);
}

/* ---- incidents ---- */

static void put_incident(csv_file_t *file, const report_t *report,
                         const report_incident_t *incident)
{
    const bool has_times = is_time(&incident->begin) && is_time(&incident->end);
    csv_file_cell(file, incident_kind_name(incident->kind));
    csv_file_time(file, &incident->begin);
    csv_file_time(file, &incident->end);
    csv_file_real(file,
                  has_times ? timespec_seconds_between(&incident->begin, &incident->end) : NAN);
    csv_file_boolean(file, incident->lasts);
    csv_file_text(file,
                  incident->server == REPORT_NONE ? NULL : report->servers[incident->server].name);
    csv_file_text(file, incident->text);
    csv_file_end_row(file);
}

void csv_incidents_write(csv_file_t *file, const report_t *report)
{
    csv_file_cell(file, "kind,begin,end,seconds,lasts,server,text");
    csv_file_end_row(file);
    for (size_t i = 0; i < report->incident_count; i++)
        put_incident(file, report, &report->incidents[i]);
}
