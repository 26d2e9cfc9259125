#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "monitor/view/report/collect/report_parts.h"
#include "response/names.h"

/* ---- rows ---- */

static void add_sums(report_sum_t *sum, const report_sum_t *other)
{
    report_sum(&sum->events, other->events);
    report_sum(&sum->lost, other->lost);
    report_sum(&sum->lost_in_outage, other->lost_in_outage);
    report_sum(&sum->discarded, other->discarded);
}

static void add_known(int64_t *sum, int64_t count)
{
    if (count != RESPONSE_UNKNOWN)
        *sum = *sum == RESPONSE_UNKNOWN ? count : changes_sum(*sum, count);
}

static void sum_up_blocks(const report_collector_t *self, report_kept_row_t *kept)
{
    report_row_t *row = &kept->row;
    row->sum = (report_sum_t){0};
    row->gaps = RESPONSE_UNKNOWN;
    row->not_received = kept->knows_not_received ? kept->not_received : RESPONSE_UNKNOWN;
    unsigned known = 0;
    for (size_t i = 0; i < self->block_count; i++) {
        static const report_row_block_t none = {.gaps = 0};
        const report_row_block_t *block = kept->blocks ? &kept->blocks[i] : &none;
        add_sums(&row->sum, &block->sum);
        add_known(&row->gaps, kept->known[i] & KNOWN_GAPS ? block->gaps : RESPONSE_UNKNOWN);
        if (kept->knows_not_received)
            report_sum(&row->not_received, block->not_received_ended);
        known |= kept->known[i];
    }
    row->knows_lost = known & KNOWN_LOST;
    row->is_derived = known & KNOWN_IS_DERIVED;
    row->lost_is_minimum = known & KNOWN_IS_MINIMUM;
}

static void sum_up_points(const report_collector_t *self, report_row_t *row)
{
    const report_t *report = &self->report;
    const bool sums = self->options.window > 0;
    uint32_t most = 0;
    row->rate = 0;
    row->worst = (struct timespec){0};
    for (size_t i = 0; i < row->point_count; i++) {
        const report_point_t *point = &row->points[i];
        if (sums)
            add_sums(&row->sum, &(report_sum_t){.events = point->events,
                                                .lost = point->lost,
                                                .lost_in_outage = point->lost_in_outage,
                                                .discarded = point->discarded});
        if ((double)point->rate > row->rate)
            row->rate = (double)point->rate;
        if (point->lost > most) {
            most = point->lost;
            row->worst = report_time_of(&report->stream_axis, i, 1);
        }
    }
}

static void sum_up(const report_collector_t *self, report_kept_row_t *kept)
{
    sum_up_blocks(self, kept);
    sum_up_points(self, &kept->row);
    for (size_t i = 0; i < REPORT_DURATIONS; i++)
        kept->row.percentiles[i] = report_percentiles_of(&kept->row.cells[i]);
}

/* ---- streams ---- */

static int compare_rows(const void *a, const void *b)
{
    const report_row_t *left = *(report_row_t *const *)a;
    const report_row_t *right = *(report_row_t *const *)b;
    const int order = strcmp(left->stream, right->stream);
    if (order != 0)
        return order;
    if (left->is_published != right->is_published)
        return left->is_published ? -1 : 1;
    if (left->server != right->server)
        return left->server < right->server ? -1 : 1;
    return left->topic && right->topic ? strcmp(left->topic, right->topic) : 0;
}

static int compare_streams(const void *a, const void *b)
{
    const report_stream_t *left = a;
    const report_stream_t *right = b;
    const int64_t keys[][2] = {{left->lost, right->lost},
                               {left->not_received, right->not_received},
                               {left->pushed > left->received ? left->pushed : left->received,
                                right->pushed > right->received ? right->pushed : right->received}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? 1 : -1;
    return strcmp(left->name, right->name);
}

static void add_to_stream(report_stream_t *stream, const report_row_t *row)
{
    if (row->is_published) {
        stream->publisher_count++;
        stream->first_subscription++;
        add_known(&stream->pushed, row->sum.events);
        return;
    }
    stream->subscription_count++;
    add_known(&stream->received, row->sum.events);
    add_known(&stream->lost, row->knows_lost ? row->sum.lost : RESPONSE_UNKNOWN);
    add_known(&stream->not_received, row->not_received);
    report_sum(&stream->lost_in_outage, row->sum.lost_in_outage);
    stream->lost_is_minimum |= row->lost_is_minimum || !row->knows_lost;
    stream->lost_is_derived |= row->is_derived;
}

static void make_streams(report_collector_t *self)
{
    report_t *report = &self->report;
    for (size_t i = 0; i < report->row_count; i++) {
        const report_row_t *row = report->stream_rows[i];
        report_stream_t *stream =
            report->stream_count > 0 ? &report->streams[report->stream_count - 1] : NULL;
        if (!stream || strcmp(stream->name, row->stream) != 0) {
            stream = &report->streams[report->stream_count++];
            *stream = (report_stream_t){.name = row->stream,
                                        .short_name = names_without_prefix(row->stream),
                                        .first_publisher = i,
                                        .first_subscription = i,
                                        .pushed = RESPONSE_UNKNOWN,
                                        .received = RESPONSE_UNKNOWN,
                                        .lost = RESPONSE_UNKNOWN,
                                        .not_received = RESPONSE_UNKNOWN};
        }
        add_to_stream(stream, row);
    }
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The streams are still by name. */
static void count_findings(const report_t *report)
{
    const char **names = memory_new(report->finding_count, sizeof *names);
    size_t count = 0;
    for (size_t i = 0; i < report->finding_count; i++)
        if (report->findings[i]->about.stream)
            names[count++] = report->findings[i]->about.stream;
    if (count > 1)
        qsort(names, count, sizeof *names, compare_texts);
    for (size_t i = 0, j = 0; i < report->stream_count && j < count;) {
        const int order = strcmp(report->streams[i].name, names[j]);
        if (order < 0) {
            i++;
            continue;
        }
        report->streams[i].findings += order == 0;
        j++;
    }
    free(names);
}

/* ---- the whole ---- */

static void begin_whole(report_t *report)
{
    report->polls = report->restarts = report->lost_polls = 0;
    report->gap_seconds = 0;
    report->pushed = report->received = (report_sum_t){0};
    report->knows_lost = report->lost_is_minimum = report->lost_is_derived = false;
    report->cells_are_incomplete = report->percentiles_are_of_samples = false;
    report->incidents_left_out = 0;
}

static void sum_up_whole(report_collector_t *self)
{
    report_t *report = &self->report;
    begin_whole(report);
    for (size_t i = 0; i < self->block_count; i++) {
        const report_block_t *block = &self->blocks[i];
        report->polls += block->polls;
        report->restarts += block->restarts;
        report_sum(&report->lost_polls, block->lost_polls);
        report->gap_seconds += block->gap_seconds;
        report->incidents_left_out += (size_t)block->incidents_left_out;
        add_sums(&report->pushed, &block->pushed);
        add_sums(&report->received, &block->received);
        report->knows_lost |= block->knows_lost;
        report->lost_is_minimum |= block->lost_is_minimum;
        report->lost_is_derived |= block->is_derived;
        report->cells_are_incomplete |= block->lacks_cells;
        report->percentiles_are_of_samples |= block->has_samples;
    }
    for (size_t i = 0; i < REPORT_DURATIONS; i++)
        report->percentiles[i] = report_percentiles_of(&report->cells[i]);
    report->streams_left_out = self->rows_left_out[0].count + self->rows_left_out[1].count;
    report->servers_left_out = self->servers_left_out[0].count + self->servers_left_out[1].count;
}

static void add_flags(report_t *report, const report_row_t *row)
{
    if (row->is_published)
        return;
    report->knows_lost |= row->knows_lost;
    report->lost_is_minimum |= row->lost_is_minimum || !row->knows_lost;
    report->lost_is_derived |= row->is_derived;
}

static void sum_up_server(const report_collector_t *self, size_t server)
{
    report_server_t *one = &self->report.servers[server];
    one->polls = one->failures = one->restarts = 0;
    one->failed_seconds = 0;
    for (size_t i = 0; i < self->block_count; i++) {
        const report_server_block_t *block = &self->asked[server].blocks[i];
        one->polls += block->polls;
        one->failures += block->failures;
        one->restarts += block->restarts;
        one->failed_seconds += block->failed_seconds;
    }
}

void report_settle_streams(report_collector_t *self)
{
    report_t *report = &self->report;
    report_free_streams(self);
    sum_up_whole(self);
    for (size_t i = 0; i < report->server_count; i++)
        sum_up_server(self, i);
    report->stream_rows = memory_new(report->row_count, sizeof(report_row_t *));
    report->streams = memory_new(report->row_count, sizeof *report->streams);
    for (size_t i = 0; i < report->row_count; i++) {
        sum_up(self, report_kept_row(self, i));
        add_flags(report, report->rows[i]);
        report->stream_rows[i] = report->rows[i];
    }
    if (report->row_count > 1)
        qsort(report->stream_rows, report->row_count, sizeof(report_row_t *), compare_rows);
    make_streams(self);
    count_findings(report);
    if (report->stream_count > 1)
        qsort(report->streams, report->stream_count, sizeof *report->streams, compare_streams);
}

void report_free_streams(report_collector_t *self)
{
    report_t *report = &self->report;
    free(report->stream_rows);
    free(report->streams);
    report->stream_rows = NULL;
    report->streams = NULL;
    report->stream_count = 0;
}
