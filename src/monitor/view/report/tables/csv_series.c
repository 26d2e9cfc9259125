#include "monitor/view/report/tables/csv_series.h"

#include <inttypes.h>
#include <math.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/local_time.h"
#include "base/memory.h"
#include "base/shorten.h"
#include "monitor/view/report/collect/report.h"
#include "response/names.h"

/* Of so many subscriptions it is known how many events hadn't arrived. */
enum { MAXIMUM_WAITING = 20000 };

/* How many events of a subscription weren't received by its last row; never 0. */
typedef struct {
    char *server;
    char *topic;
    int64_t count;
} waiting_t;

struct csv_series {
    csv_file_t *file;
    filter_t filter;
    void *waiting; /* waiting_t, by tsearch() */
    size_t waiting_count;
    /* Cells of the rows that are being written. */
    char time[LOCAL_TIME_EXACT_SIZE];
    char *server;
    char *stream;
};

csv_series_t *csv_series_new(csv_file_t *file, const filter_t *filter)
{
    csv_series_t *self = memory_new(1, sizeof *self);
    self->file = file;
    self->filter = *filter;
    csv_file_cell(file, "time,server,stream,what,value");
    csv_file_end_row(file);
    return self;
}

static void free_waiting(void *waiting)
{
    waiting_t *one = waiting;
    free(one->server);
    free(one->topic);
    free(one);
}

void csv_series_destroy(csv_series_t **self)
{
    if (!*self)
        return;
    tdestroy((*self)->waiting, free_waiting);
    free(*self);
    *self = NULL;
}

/* ---- rows ---- */

static void begin_row(const csv_series_t *self, const char *what)
{
    csv_file_cell(self->file, self->time);
    csv_file_cell(self->file, self->server);
    csv_file_cell(self->file, self->stream);
    csv_file_cell(self->file, what);
}

static void put_count(const csv_series_t *self, const char *what, int64_t value)
{
    if (value == 0)
        return;
    begin_row(self, what);
    fprintf(self->file->out, ",%" PRId64, value);
    csv_file_end_row(self->file);
}

/* Has a decimal point also if it is a whole number, so that no reader that looks at the first rows
 * takes the column for whole numbers. */
static void put_seconds(const csv_series_t *self, const char *what, double value)
{
    if (!isfinite(value) || value == 0)
        return;
    begin_row(self, what);
    fprintf(self->file->out, ",%.9f", value);
    csv_file_end_row(self->file);
}

static void put_counters(const csv_series_t *self, const counters_t *counters, const void *steps)
{
    for (size_t i = 0; i < counters->count; i++) {
        const char *name = counter_table_name(&counters->list[i]);
        const int64_t step = counter_of(&counters->list[i], steps);
        if (name && step != RESPONSE_UNKNOWN)
            put_count(self, name, step);
    }
}

typedef enum { PUSH, LATENCY, PROCESSING, MEASURED } measured_t;

static void put_duration(const csv_series_t *self, measured_t measured, const duration_t *duration)
{
    enum { US_PER_S = 1000000 };
    static const char *const names[MEASURED][6] = {
        {"push_events", "push_mean_seconds", "push_p50_seconds", "push_p90_seconds",
         "push_p99_seconds", "push_max_seconds"},
        {"latency_events", "latency_mean_seconds", "latency_p50_seconds", "latency_p90_seconds",
         "latency_p99_seconds", "latency_max_seconds"},
        {"processing_events", "processing_mean_seconds", "processing_p50_seconds",
         "processing_p90_seconds", "processing_p99_seconds", "processing_max_seconds"}};
    const double micros[] = {duration->mean_micros, duration->median_micros,
                             duration->percentile_90_micros, duration->percentile_99_micros,
                             duration->maximum_micros};
    if (duration->count <= 0)
        return;
    put_count(self, names[measured][0], duration->count);
    for (size_t i = 0; i < sizeof micros / sizeof *micros; i++)
        put_seconds(self, names[measured][i + 1], micros[i] / US_PER_S);
}

/* As it is in the other tables. The caller frees it. */
static char *name_cell(const char *name)
{
    if (strlen(name) <= REPORT_NAME)
        return csv_cell(name);
    char *shorter = shorten_copy(name, REPORT_NAME);
    char *cell = csv_cell(shorter);
    free(shorter);
    return cell;
}

/* ---- events that weren't received yet ---- */

static int compare_waiting(const void *a, const void *b)
{
    const waiting_t *left = a;
    const waiting_t *right = b;
    const int order = strcmp(left->server, right->server);
    return order ? order : strcmp(left->topic, right->topic);
}

/* Sets the present number, and returns the one before. */
static int64_t set_waiting(csv_series_t *self, const char *server, const char *topic, int64_t count)
{
    const waiting_t key = {.server = (char *)(uintptr_t)server, .topic = (char *)(uintptr_t)topic};
    waiting_t **found = tfind(&key, &self->waiting, compare_waiting);
    waiting_t *one = found ? *found : NULL;
    const int64_t before = one ? one->count : 0;
    if (one && count == 0) {
        tdelete(one, &self->waiting, compare_waiting);
        free_waiting(one);
        self->waiting_count--;
    } else if (one) {
        one->count = count;
    } else if (count > 0 && self->waiting_count < MAXIMUM_WAITING) {
        one = memory_new(1, sizeof *one);
        *one = (waiting_t){memory_string(server), memory_string(topic), count};
        if (!tsearch(one, &self->waiting, compare_waiting))
            abort();
        self->waiting_count++;
    }
    return before;
}

/*
 * By how much it grew, or, if it is negative, fell. What the process before hadn't received is
 * never received: it stays in the sum, as in totals.h. Of a subscription that has no place, it
 * isn't told.
 */
static int64_t waiting_step(csv_series_t *self, const server_part_t *part,
                            const subscription_row_t *row)
{
    const char *server = part->reply->server ? part->reply->server : "?";
    const int64_t count =
        row->change->after && row->loss.not_received > 0 ? row->loss.not_received : 0;
    const bool began =
        part->changes->counts_anew || row->restarted || row->change->kind == CHANGE_NEW;
    const bool is_full = self->waiting_count >= MAXIMUM_WAITING;
    const int64_t before = set_waiting(self, server, row->topic, count);
    if (!row->change->after || (before == 0 && is_full))
        return 0;
    return began ? count : count - before;
}

/* ---- servers and streams ---- */

/* Durations of a server's first answer are of all the time before it. */
static bool tells_durations(const changes_t *changes)
{
    return !changes->first && (changes->counts_anew || !changes->counters_restarted);
}

static void put_published(csv_series_t *self, const server_part_t *part, const published_row_t *row)
{
    if (!row->change->after || !filter_takes(&self->filter, row->name))
        return;
    self->stream = name_cell(row->name);
    put_counters(self, &counters_of_publisher, &row->steps);
    if (tells_durations(part->changes))
        put_duration(self, PUSH, &row->push_event);
    free(self->stream);
}

static void put_subscription(csv_series_t *self, const server_part_t *part,
                             const subscription_row_t *row)
{
    const int64_t waiting = waiting_step(self, part, row);
    if (!row->change->after || !filter_takes(&self->filter, row->topic))
        return;
    char *stream = names_stream_of_topic(row->topic);
    subscription_counts_t steps = row->steps;
    steps.lost_event_count = row->loss.step;
    steps.outage_lost_event_count = row->loss.outage_step;
    self->stream = name_cell(stream);
    put_counters(self, &counters_of_subscription, &steps);
    put_count(self, "not_received", waiting);
    if (tells_durations(part->changes)) {
        put_duration(self, LATENCY, &row->latency);
        put_duration(self, PROCESSING, &row->processing);
    }
    free(self->stream);
    free(stream);
}

/* All channels of a server, in one. */
static void put_channels(const csv_series_t *self, const server_part_t *part)
{
    for (size_t i = 0; i < counters_of_channel.count; i++) {
        const counter_t *counter = &counters_of_channel.list[i];
        int64_t sum = 0;
        for (size_t j = 0; j < part->channel_count; j++) {
            const int64_t step = counter_of(counter, &part->channels[j].steps);
            sum = step > 0 ? changes_sum(sum, step) : sum;
        }
        if (!counter->is_no_news)
            put_count(self, counter_table_name(counter), sum);
    }
}

static void put_agent(const csv_series_t *self, const server_part_t *part)
{
    const changes_t *changes = part->changes;
    if (changes->first || (changes->counters_restarted && !changes->counts_anew))
        return;
    for (size_t i = 0; i < counters_of_agent.count; i++) {
        const counter_t *counter = &counters_of_agent.list[i];
        const int64_t now = counter_of(counter, &part->reply->response->agent_counts);
        const int64_t before =
            changes->counts_anew ? 0 : counter_of(counter, &part->before->agent_counts);
        put_count(self, counter_table_name(counter), changes_count(before, now).by);
    }
}

static void put_server(csv_series_t *self, const server_part_t *part)
{
    self->stream = (char *)(uintptr_t) "";
    put_count(self, "answered", part->changes != NULL);
    put_count(self, "failed", server_part_fails(part));
    if (!part->changes)
        return;
    if (part->seconds > 0)
        put_seconds(self, "seconds", part->seconds);
    put_count(self, "restarted", part->changes->server_restarted);
    put_agent(self, part);
    put_channels(self, part);
    for (size_t i = 0; i < part->published_count; i++)
        put_published(self, part, &part->published[i]);
    for (size_t i = 0; i < part->subscription_count; i++)
        put_subscription(self, part, &part->subscriptions[i]);
}

void csv_series_add(csv_series_t *self, const observation_t *observation)
{
    const comparison_t *comparison = observation->comparison;
    local_time_exact(&observation->snapshot->time, self->time);
    for (size_t i = 0; i < comparison->part_count; i++) {
        const server_part_t *part = &comparison->parts[i];
        self->server = name_cell(part->reply->server ? part->reply->server : "?");
        put_server(self, part);
        free(self->server);
    }
}
