#include "monitor/view/report/collect/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/shorten.h"
#include "base/timespec.h"
#include "monitor/view/agent_since.h"
#include "monitor/view/report/collect/report_parts.h"
#include "monitor/view/shown.h"

#define MICROS 1e6

report_t *report_new(const report_options_t *options)
{
    report_collector_t *self = memory_new(1, sizeof *self);
    self->options = *options;
    self->block_count = options->window > 0 ? REPORT_BLOCKS : 1;
    self->report.period = NAN;
    for (size_t i = 0; i < REPORT_DURATIONS; i++)
        self->report.percentiles[i] = report_percentiles_of(&self->report.cells[i]);
    return &self->report;
}

void report_destroy(report_t **pointer)
{
    report_collector_t *self = (report_collector_t *)*pointer;
    *pointer = NULL;
    if (!self)
        return;
    report_free_streams(self);
    report_free_findings(self);
    report_free_minutes(self);
    report_free_incidents(self);
    report_free_rows(self);
    for (size_t i = 0; i < REPORT_DURATIONS; i++)
        report_cells_clear(&self->report.cells[i]);
    free(self->report.columns);
    free(self);
}

/* ---- servers ---- */

static void set_text(char **text, const char *new)
{
    if (*text && new &&strcmp(*text, new) == 0)
        return;
    free(*text);
    *text = shorten_copy(new, REPORT_TEXT);
}

static void add_reply(report_collector_t *self, size_t place, const server_part_t *part,
                      const struct timespec *time)
{
    const response_t *response = part->reply->response;
    report_server_t *server = &self->report.servers[place];
    report_asked_t *asked = &self->asked[place];
    report_server_block_t *block = &asked->blocks[self->block];
    report_watch_server(self, place, part, time);
    asked->polled = *time;
    asked->was_missing = part->reply->is_missing;
    server->fails = server_part_fails(part);
    if (asked->was_missing)
        return;
    block->polls++;
    if (server->fails) {
        block->failures++;
        set_text(&server->error, part->reply->error);
        return;
    }
    block->restarts += part->changes->server_restarted;
    if (!asked->answered)
        server->first = *time;
    asked->answered = true;
    server->last = *time;
    server->source = response_dialect_name(response->dialect);
    server->perf_on |= response->push_perf_on || response->receive_perf_on;
    set_text(&server->agent_version, response->agent_version);
    set_text(&server->tango_version, response->tango_version);
    set_text(&server->agent_loaded, response->agent_loaded);
    set_text(&server->agent_attached, response->agent_attached);
    set_text(&server->process_started, response->process_started);
    free(server->late_since);
    server->late_since = agent_since_text(response);
}

/* ---- streams ---- */

/* A part of the present poll. */
typedef struct {
    const server_part_t *part;
    const char *name; /* of the server */
    size_t server;    /* or REPORT_NONE */
    const struct timespec *time;
    size_t columns;   /* of its rows, between its previous answer's and the newest */
    double push_rate; /* of all its streams; NAN: not known */
    double receive_rate;
} report_part_t;

/* So many more; a count stops at its maximum. */
static void add_count(uint32_t *sum, int64_t step)
{
    if (step > 0)
        *sum = step > UINT32_MAX - *sum ? UINT32_MAX : *sum + (uint32_t)step;
}

static void add_rate(double *sum, double rate)
{
    if (rate >= 0)
        *sum = (isnan(*sum) ? 0 : *sum) + rate;
}

/* A rate was that since the previous answer, also in columns in which there was none. */
static void raise_rate(report_row_t *row, double rate, size_t columns)
{
    for (size_t i = 0; i <= columns && i < row->point_count; i++) {
        float *highest = &row->points[row->point_count - 1 - i].rate;
        if (rate > (double)*highest)
            *highest = (float)rate;
    }
}

static void note_percentile(float *highest, const duration_t *duration)
{
    if (duration->count > 0)
        *highest = fmaxf(*highest, (float)(duration->percentile_99_micros / MICROS));
}

static report_kept_row_t *row_of(report_collector_t *self, const report_part_t *at,
                                 bool is_published, const char *name)
{
    report_kept_row_t *row =
        at->server == REPORT_NONE ? NULL : report_row_of(self, is_published, at->server, name);
    if (!row)
        report_leave_out_row(self, is_published, at->name, name);
    else
        row->seen = *at->time;
    if (row)
        row->is_gone = false;
    return row;
}

static void note_gone(const report_collector_t *self, const report_part_t *at, bool is_published,
                      const char *name)
{
    report_kept_row_t *row =
        at->server == REPORT_NONE ? NULL : report_find_row(self, is_published, at->server, name);
    if (!row)
        return;
    row->is_gone = true;
    row->seen = *at->time;
}

/* What is counted, but has no step, hasn't changed since the counting began: it may never do so. */
static void add_steps(const counters_t *counters, void *sums, const void *steps, const void *counts)
{
    for (size_t i = 0; i < counters->count; i++) {
        const counter_t *counter = &counters->list[i];
        const bool counts_up = counter->kind == COUNTER_GROWS || counter->kind == COUNTER_WRAPS;
        const bool begins = counts_up && counter_of(counter, counts) != RESPONSE_UNKNOWN;
        const int64_t known = counter_of(counter, steps);
        const int64_t step = known == RESPONSE_UNKNOWN && begins ? 0 : known;
        int64_t *sum = counter_in(counter, sums);
        if (step != RESPONSE_UNKNOWN)
            *sum = *sum == RESPONSE_UNKNOWN ? step : changes_sum(*sum, step);
    }
}

/* With what the monitor knows better than the answer. */
static subscription_counts_t steps_of(const subscription_row_t *one)
{
    const bool knows = one->loss.source != LOSS_UNKNOWN || one->loss.step > 0;
    subscription_counts_t steps = one->steps;
    steps.lost_event_count = knows ? one->loss.step : RESPONSE_UNKNOWN;
    steps.outage_lost_event_count = knows ? one->loss.outage_step : RESPONSE_UNKNOWN;
    return steps;
}

static void add_published(report_collector_t *self, report_part_t *at, const published_row_t *one)
{
    const int64_t step = one->steps.pushed_event_count;
    if (!one->change->after)
        note_gone(self, at, true, one->name);
    if (!one->change->after || !filter_takes(&self->options.filter, one->name))
        return;
    report_kept_row_t *row = row_of(self, at, true, one->name);
    report_sum(&self->poll.pushed, step);
    report_sum(&report_block(self)->pushed.events, step);
    add_rate(&at->push_rate, one->rate);
    if (step != RESPONSE_UNKNOWN)
        report_add_durations(self, row, REPORT_PUSH, &one->push_event_span);
    if (!row)
        return;
    if (step > 0 && self->options.window == 0)
        report_sum(&report_row_block(self, row)->sum.events, step);
    add_steps(&counters_of_publisher, &row->row.pushed, &one->steps, &one->counts);
    if (step <= 0)
        return;
    report_point_t *point = report_point_of(self, row);
    add_count(&point->events, step);
    raise_rate(&row->row, one->rate, at->columns);
}

static void add_received_durations(report_collector_t *self, report_kept_row_t *row,
                                   const subscription_row_t *one)
{
    if (one->steps.event_count == RESPONSE_UNKNOWN)
        return;
    report_add_durations(self, row, REPORT_LATENCY, &one->latency_span);
    report_add_durations(self, row, REPORT_PROCESSING, &one->processing_span);
    note_percentile(&self->poll.latency, &one->latency);
    note_percentile(&self->poll.processing, &one->processing);
}

static void add_point(report_collector_t *self, report_kept_row_t *row,
                      const subscription_row_t *one, size_t columns)
{
    const report_sum_t steps = {.events = one->steps.event_count,
                                .lost = one->loss.step,
                                .lost_in_outage = one->loss.outage_step,
                                .discarded = one->steps.discarded_event_count};
    if (steps.events <= 0 && steps.lost <= 0 && steps.lost_in_outage <= 0 && steps.discarded <= 0)
        return;
    report_point_t *point = report_point_of(self, row);
    add_count(&point->events, steps.events);
    add_count(&point->lost, steps.lost);
    add_count(&point->lost_in_outage, steps.lost_in_outage);
    add_count(&point->discarded, steps.discarded);
    raise_rate(&row->row, one->rate, columns);
}

static void add_to_sum(report_sum_t *sum, const subscription_row_t *one)
{
    report_sum(&sum->events, one->steps.event_count);
    report_sum(&sum->lost, one->loss.step);
    report_sum(&sum->lost_in_outage, one->loss.outage_step);
    report_sum(&sum->discarded, one->steps.discarded_event_count);
}

/* As totals do it: what a subscription, or its server's process, that ended hasn't received it
 * never will. */
static void add_not_received(const report_collector_t *self, report_kept_row_t *row,
                             const server_part_t *part, const subscription_row_t *one)
{
    const int64_t now = one->loss.not_received;
    const bool has_ended =
        part->changes->counts_anew || one->restarted || one->change->kind == CHANGE_NEW;
    if (has_ended && row->not_received > 0)
        report_sum(&report_row_block(self, row)->not_received_ended, row->not_received);
    row->knows_not_received |= now != RESPONSE_UNKNOWN;
    row->not_received = now > 0 ? now : 0;
}

static void add_received_to_row(report_collector_t *self, report_kept_row_t *row,
                                const report_part_t *at, const subscription_row_t *one)
{
    const int64_t gaps = one->steps.missed_event_count;
    if (self->options.window == 0)
        add_to_sum(&report_row_block(self, row)->sum, one);
    if (gaps > 0)
        report_sum(&report_row_block(self, row)->gaps, gaps);
    row->known[self->block] |= (gaps != RESPONSE_UNKNOWN ? KNOWN_GAPS : 0) |
                               (one->loss.source != LOSS_UNKNOWN ? KNOWN_LOST : 0) |
                               (one->loss.source == LOSS_DERIVED ? KNOWN_IS_DERIVED : 0) |
                               (one->loss.step_is_minimum ? KNOWN_IS_MINIMUM : 0);
    add_not_received(self, row, at->part, one);
    const subscription_counts_t steps = steps_of(one);
    add_steps(&counters_of_subscription, &row->row.received, &steps, one->counts);
    if (one->loss.step > 0)
        report_add_loss_to_minute(self, row, one->loss.step);
    add_point(self, row, one, at->columns);
}

static void add_received(report_collector_t *self, report_part_t *at, const subscription_row_t *one)
{
    report_block_t *block = report_block(self);
    if (!one->change->after)
        note_gone(self, at, false, one->topic);
    if (!one->change->after || !filter_takes(&self->options.filter, one->topic))
        return;
    report_kept_row_t *row = row_of(self, at, false, one->topic);
    report_sum(&self->poll.received, one->steps.event_count);
    report_sum(&self->poll.lost, one->loss.step);
    report_sum(&self->poll.lost_in_outage, one->loss.outage_step);
    add_to_sum(&block->received, one);
    add_rate(&at->receive_rate, one->rate);
    add_received_durations(self, row, one);
    if (row) {
        add_received_to_row(self, row, at, one);
        return;
    }
    const bool knows_lost = one->loss.source != LOSS_UNKNOWN;
    block->knows_lost |= knows_lost;
    block->is_derived |= one->loss.source == LOSS_DERIVED;
    block->lost_is_minimum |= one->loss.step_is_minimum || !knows_lost;
}

/* ---- polls ---- */

/* How many columns of rows are between those of a server's previous answer and of this one; 0 also
 * if it wasn't asked, or didn't answer, for longer than usual. */
static size_t columns_between(const report_collector_t *self, const report_part_t *at)
{
    const report_axis_t *axis = &self->report.stream_axis;
    const double seconds = at->part->seconds;
    const double usual = fmax(self->asked[at->server].interval, self->report.period);
    if (!(seconds < 2 * usual))
        return 0;
    const double before = timespec_seconds_between(&axis->begin, at->time) - seconds;
    const double columns = (double)axis->count - 2 - floor(before / axis->width);
    return columns > 0 ? (size_t)columns : 0;
}

static void add_part(report_collector_t *self, const server_part_t *part, size_t place,
                     const struct timespec *time)
{
    report_part_t at = {.part = part, .time = time, .push_rate = NAN, .receive_rate = NAN};
    at.name = part->reply->server ? part->reply->server : "?";
    at.server = report_server_of(self, at.name, place);
    if (at.server != REPORT_NONE)
        add_reply(self, at.server, part, time);
    self->poll.failures += server_part_fails(part);
    if (!part->changes)
        return;
    self->poll.answers++;
    self->poll.restarts += part->changes->server_restarted;
    if (part->seconds > 0)
        at.push_rate = at.receive_rate = 0;
    if (at.server != REPORT_NONE)
        at.columns = columns_between(self, &at);
    for (size_t i = 0; i < part->published_count; i++)
        add_published(self, &at, &part->published[i]);
    for (size_t i = 0; i < part->subscription_count; i++)
        add_received(self, &at, &part->subscriptions[i]);
    report_add_samples(self, part);
    if (at.server == REPORT_NONE)
        return;
    report_asked_t *asked = &self->asked[at.server];
    asked->interval = part->seconds;
    asked->push_rate = at.push_rate;
    asked->receive_rate = at.receive_rate;
}

/* Over all servers: those that are asked at another moment have their last rate until they are due
 * again. */
static void sum_up_rates(report_collector_t *self, const struct timespec *time)
{
    double pushed = NAN;
    double received = NAN;
    for (size_t i = 0; i < self->report.server_count; i++) {
        const report_asked_t *asked = &self->asked[i];
        const double ago = timespec_seconds_between(&asked->polled, time);
        if (self->report.servers[i].fails || !(ago < 2 * asked->interval))
            continue;
        add_rate(&pushed, asked->push_rate);
        add_rate(&received, asked->receive_rate);
    }
    self->poll.push_rate = (float)pushed;
    self->poll.receive_rate = (float)received;
}

/* They were those since the poll before, also in columns without a poll; of a gap nothing is known.
 */
static void spread_rates(report_collector_t *self)
{
    report_column_t *columns = self->report.columns;
    for (size_t i = self->report.axis.count - 1; i-- > 0 && columns[i].polls == 0;) {
        if (self->after_gap)
            return;
        columns[i].push_rate = self->poll.push_rate;
        columns[i].receive_rate = self->poll.receive_rate;
    }
}

static uint32_t count_lasting(const report_collector_t *self)
{
    size_t count = 0;
    uint32_t lasting = 0;
    const finding_t *const *list = findings_now(self->observed, &count);
    for (size_t i = 0; i < count; i++)
        lasting += list[i]->severity >= SEVERITY_WARNING && list[i]->state != FINDING_ENDED &&
                   shown_takes(&self->options.filter, list[i]);
    return lasting;
}

/* What is no longer in the window; lists are made anew when the report is settled. */
static void prune(report_collector_t *self)
{
    self->needs_pruning = false;
    report_free_streams(self);
    report_prune_rows(self);
    report_prune_minutes(self);
}

void report_add(report_t *report, const observation_t *observation)
{
    report_collector_t *self = (report_collector_t *)report;
    const comparison_t *comparison = observation->comparison;
    const struct timespec *time = &observation->snapshot->time;
    report_take_time(self, time);
    report_begin_minute(self, time);
    self->observed = observation->findings;
    self->poll = report_no_column;
    self->poll.polls = 1;
    for (size_t i = 0; i < comparison->part_count; i++)
        add_part(self, &comparison->parts[i], i, time);
    self->poll.findings = count_lasting(self);
    sum_up_rates(self, time);
    spread_rates(self);
    report_block(self)->polls++;
    report_block(self)->restarts += self->poll.restarts;
    report_join_columns(&report->columns[report->axis.count - 1], &self->poll);
    report_join_columns(&self->minute_sum, &self->poll);
    report_keep_budget(self);
    if (self->needs_pruning)
        prune(self);
    if (self->options.copies_findings)
        report_settle_findings(self);
}

void report_settle(report_t *report)
{
    report_collector_t *self = (report_collector_t *)report;
    if (!self->options.copies_findings)
        report_settle_findings(self);
    report_settle_incidents(self);
    report_settle_minutes(self);
    report_settle_streams(self);
    if (self->options.window > 0 &&
        timespec_seconds_between(&report->first, &report->axis.begin) > 0)
        report->first = report->axis.begin;
}
