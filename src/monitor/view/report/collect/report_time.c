#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/timespec.h"
#include "monitor/view/report/collect/report_parts.h"

/* Nothing was recorded for longer than so many usual intervals, and so many seconds: a gap. After
 * so many gaps in a row it is the usual interval that is another one. */
#define GAP_INTERVALS 3
#define GAP_SECONDS   2.0
#define GAPS_IN_A_ROW 3

/* From how many intervals it is known what is usual, and which of them is: not the middle one,
 * since those of several recorders alternate. */
#define INTERVALS_ENOUGH 2
#define INTERVAL_USUAL   0.9

/* Of a column, in s: less than polls can be apart; a power of two, so that it becomes whole. */
#define WIDTH_AT_FIRST (1.0 / 64)

/* More than there are in the years that a time can have. */
#define SECONDS_MAXIMUM 1e12

const report_column_t report_no_column = {
    .push_rate = NAN, .receive_rate = NAN, .latency = NAN, .processing = NAN};

struct timespec report_later(const struct timespec *time, double seconds)
{
    if (!(fabs(seconds) < SECONDS_MAXIMUM))
        return *time;
    const double whole = floor(seconds);
    struct timespec result = timespec_later(time, seconds - whole);
    result.tv_sec += (time_t)whole;
    return result;
}

struct timespec report_time_of(const report_axis_t *axis, size_t column, size_t fold)
{
    return report_later(&axis->begin, ((double)column + (double)fold / 2) * axis->width);
}

size_t report_fold(const report_t *self, const report_axis_t *axis, size_t columns)
{
    size_t fold = 1;
    while ((axis->count + fold - 1) / fold > columns ||
           (self->period > axis->width * (double)fold && fold < axis->count))
        fold++;
    return fold;
}

/* ---- columns ---- */

static void add_count(uint32_t *sum, uint32_t count)
{
    *sum = count > UINT32_MAX - *sum ? UINT32_MAX : *sum + count;
}

void report_join_columns(report_column_t *self, const report_column_t *other)
{
    add_count(&self->polls, other->polls);
    add_count(&self->answers, other->answers);
    add_count(&self->failures, other->failures);
    add_count(&self->restarts, other->restarts);
    if (other->findings > self->findings)
        self->findings = other->findings;
    self->pushed = changes_sum(self->pushed, other->pushed);
    self->received = changes_sum(self->received, other->received);
    self->lost = changes_sum(self->lost, other->lost);
    self->lost_in_outage = changes_sum(self->lost_in_outage, other->lost_in_outage);
    self->push_rate = fmaxf(self->push_rate, other->push_rate);
    self->receive_rate = fmaxf(self->receive_rate, other->receive_rate);
    self->latency = fmaxf(self->latency, other->latency);
    self->processing = fmaxf(self->processing, other->processing);
}

static void fold_rows(report_collector_t *self)
{
    report_axis_t *axis = &self->report.stream_axis;
    axis->width *= 2;
    axis->count = (axis->count + 1) / 2;
    for (size_t i = 0; i < self->report.row_count; i++)
        report_fold_row(self, report_kept_row(self, i));
}

static void fold(report_collector_t *self)
{
    report_t *report = &self->report;
    report_axis_t *axis = &report->axis;
    for (size_t i = 0; i < axis->count; i++)
        if (i % 2 == 0)
            report->columns[i / 2] = report->columns[i];
        else
            report_join_columns(&report->columns[i / 2], &report->columns[i]);
    for (size_t i = 0; i < REPORT_DURATIONS; i++)
        report_cells_fold(&report->cells[i]);
    axis->count = (axis->count + 1) / 2;
    axis->width *= 2;
    while (report->stream_axis.width < axis->width)
        fold_rows(self);
}

void report_keep_budget(report_collector_t *self)
{
    const size_t budget = self->options.budget ? self->options.budget : REPORT_BUDGET;
    while (self->bytes > budget &&
           (self->report.stream_axis.count + 1) / 2 >= REPORT_STREAM_COLUMNS_LEAST)
        fold_rows(self);
    self->is_full = self->bytes > budget;
}

/* ---- a window ---- */

/* What was counted as left out longer than a window ago is forgotten. */
static void drop_left_out(report_collector_t *self, size_t blocks)
{
    self->left_out_blocks += blocks;
    if (self->left_out_blocks < REPORT_BLOCKS)
        return;
    self->left_out_blocks = 0;
    name_set_t *sets[] = {self->rows_left_out, self->servers_left_out};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        free(sets[i][1].hashes);
        sets[i][1] = sets[i][0];
        sets[i][0] = (name_set_t){0};
    }
}

/* Moves blocks to the beginning of a list. */
static void drop_blocks(void *list, size_t size, size_t blocks)
{
    const size_t kept = blocks < REPORT_BLOCKS ? REPORT_BLOCKS - blocks : 0;
    memmove(list, (char *)list + (REPORT_BLOCKS - kept) * size, kept * size);
    memset((char *)list + kept * size, 0, (REPORT_BLOCKS - kept) * size);
}

static void drop_from_axis(report_axis_t *axis, size_t columns, const struct timespec *begin)
{
    axis->count = axis->count > columns ? axis->count - columns : 0;
    axis->begin = *begin;
}

/* Drops columns at the beginning, as many as so many blocks have, and all that was in them. */
static void drop(report_collector_t *self, double many)
{
    report_t *report = &self->report;
    const size_t blocks = many < REPORT_BLOCKS ? (size_t)many : REPORT_BLOCKS;
    const size_t columns = blocks * REPORT_BLOCK;
    const size_t stream_columns =
        (size_t)((double)columns * report->axis.width / report->stream_axis.width);
    const struct timespec begin =
        report_later(&report->axis.begin, many * REPORT_BLOCK * report->axis.width);
    const size_t kept = report->axis.count > columns ? report->axis.count - columns : 0;
    memmove(report->columns, report->columns + (report->axis.count - kept),
            kept * sizeof *report->columns);
    drop_from_axis(&report->axis, columns, &begin);
    drop_from_axis(&report->stream_axis, stream_columns, &begin);
    for (size_t i = 0; i < REPORT_DURATIONS; i++)
        report_cells_drop(&report->cells[i], columns);
    drop_blocks(self->blocks, sizeof *self->blocks, blocks);
    for (size_t i = 0; i < report->row_count; i++) {
        report_kept_row_t *row = report_kept_row(self, i);
        report_drop_of_row(self, row, stream_columns);
        drop_blocks(row->known, sizeof *row->known, blocks);
        if (row->blocks)
            drop_blocks(row->blocks, sizeof *row->blocks, blocks);
    }
    for (size_t i = 0; i < report->server_count; i++)
        drop_blocks(self->asked[i].blocks, sizeof *self->asked[i].blocks, blocks);
    drop_left_out(self, blocks);
    self->needs_pruning = true;
}

/* ---- the clock ---- */

static void move(struct timespec *time, double seconds)
{
    *time = report_later(time, seconds);
}

/* Somebody has set the clock: what was before stays beside what comes now. */
static void follow_clock(report_collector_t *self, double seconds)
{
    report_t *report = &self->report;
    move(&report->axis.begin, seconds);
    move(&report->stream_axis.begin, seconds);
    move(&report->first, seconds);
    move(&report->last, seconds);
    move(&self->previous, seconds);
    move(&self->minute_begin, seconds);
    for (size_t i = 0; i < report->server_count; i++) {
        move(&self->asked[i].polled, seconds);
        if (self->asked[i].answered) {
            move(&report->servers[i].first, seconds);
            move(&report->servers[i].last, seconds);
        }
    }
    for (size_t i = 0; self->options.window > 0 && i < report->row_count; i++)
        move(&report_kept_row(self, i)->seen, seconds);
    for (size_t i = 0; i < self->incident_count; i++) {
        move(&self->incidents[i].begin, seconds);
        move(&self->incidents[i].end, seconds);
    }
    for (size_t i = 0; i < self->worst_count; i++)
        move(&self->worst[i].begin, seconds);
    if (self->has_remark)
        report_move_remark(self, seconds);
}

/* Whether it was set so that everything before has to be moved. */
static bool was_set(const report_collector_t *self, const struct timespec *time, double interval)
{
    if (self->options.window > 0)
        return interval < -self->report.axis.width;
    return fabs(interval) > REPORT_JUMP * REPORT_SECONDS_OF_DAY ||
           (interval < -REPORT_SET_BACK &&
            timespec_seconds_between(&self->report.axis.begin, time) < 0);
}

/* It was ahead for a while: what came then is joined into the column of the time that it is. */
static void end_at(report_collector_t *self, const struct timespec *time)
{
    report_t *report = &self->report;
    const double after = timespec_seconds_between(&report->axis.begin, time);
    const size_t column = after > 0 ? (size_t)(after / report->axis.width) : 0;
    const size_t stream_column =
        (size_t)((double)column * report->axis.width / report->stream_axis.width);
    for (; report->axis.count > column + 1; report->axis.count--)
        report_join_columns(&report->columns[column], &report->columns[report->axis.count - 1]);
    for (size_t i = 0; i < REPORT_DURATIONS; i++)
        report_cells_end(&report->cells[i], column);
    if (report->stream_axis.count > stream_column + 1)
        report->stream_axis.count = stream_column + 1;
    for (size_t i = 0; i < report->row_count; i++)
        report_end_row(self, report_kept_row(self, i), stream_column);
    report->last = *time;
    report_end_incidents(self, time);
}

/* ---- intervals ---- */

static int compare_numbers(const void *a, const void *b)
{
    const double left = *(const double *)a;
    const double right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static double usual_interval(const report_collector_t *self, double part)
{
    double sorted[REPORT_INTERVALS];
    memcpy(sorted, self->intervals, self->interval_count * sizeof *sorted);
    qsort(sorted, self->interval_count, sizeof *sorted, compare_numbers);
    return sorted[(size_t)(part * (double)(self->interval_count - 1) + 0.5)];
}

static bool is_gap(report_collector_t *self, double interval)
{
    const bool gap = self->interval_count >= INTERVALS_ENOUGH && interval > GAP_SECONDS &&
                     interval > GAP_INTERVALS * usual_interval(self, INTERVAL_USUAL);
    self->gaps_in_a_row = gap ? self->gaps_in_a_row + 1 : 0;
    return gap;
}

static void take_interval(report_collector_t *self, double interval)
{
    self->after_gap = is_gap(self, interval);
    if (self->after_gap && self->gaps_in_a_row < GAPS_IN_A_ROW)
        return;
    if (self->after_gap)
        self->interval_count = self->next_interval = self->gaps_in_a_row = 0;
    self->intervals[self->next_interval] = interval;
    self->next_interval = (self->next_interval + 1) % REPORT_INTERVALS;
    if (self->interval_count < REPORT_INTERVALS)
        self->interval_count++;
    self->report.period = usual_interval(self, 0.5);
}

/* ---- the column of a poll ---- */

static void begin(report_collector_t *self, const struct timespec *time)
{
    report_t *report = &self->report;
    const double window = self->options.window;
    report->columns = memory_new(REPORT_COLUMNS, sizeof *report->columns);
    report->axis = report->stream_axis = (report_axis_t){
        .begin = *time, .width = window > 0 ? window / REPORT_WINDOW_COLUMNS : WIDTH_AT_FIRST};
    report->first = report->last = self->previous = *time;
}

/* The column of a time on an axis that has it, or will have it. */
static double place_of(report_collector_t *self, const struct timespec *time)
{
    report_t *report = &self->report;
    const double after = timespec_seconds_between(&report->axis.begin, time);
    if (self->options.window > 0) {
        const double place = floor(after / report->axis.width);
        const double beyond = place - (REPORT_BLOCKS * REPORT_BLOCK - 1);
        const double blocks = ceil(beyond / REPORT_BLOCK);
        if (beyond > 0)
            drop(self, blocks);
        return beyond > 0 ? place - blocks * REPORT_BLOCK : place;
    }
    while (after >= report->axis.width * REPORT_COLUMNS)
        fold(self);
    while (after >= report->stream_axis.width * REPORT_STREAM_COLUMNS)
        fold_rows(self);
    return floor(after / report->axis.width);
}

static void make_column(report_collector_t *self, const struct timespec *time)
{
    report_t *report = &self->report;
    const double place = place_of(self, time);
    size_t column = place > 0 ? (size_t)place : 0;
    if (column + 1 < report->axis.count)
        column = report->axis.count - 1;
    while (report->axis.count <= column)
        report->columns[report->axis.count++] = report_no_column;
    const size_t stream_column =
        (size_t)((double)column * report->axis.width / report->stream_axis.width);
    if (report->stream_axis.count <= stream_column)
        report->stream_axis.count = stream_column + 1;
    self->block = self->options.window > 0 ? column / REPORT_BLOCK : 0;
}

void report_take_time(report_collector_t *self, const struct timespec *time)
{
    if (!self->has_polls)
        begin(self, time);
    self->has_polls = true;
    double interval = timespec_seconds_between(&self->previous, time);
    self->after_gap = false;
    if (was_set(self, time, interval)) {
        const double usual = self->interval_count > 0 ? self->report.period : 0;
        follow_clock(self, interval - usual);
        interval = usual;
    } else if (interval < -REPORT_SET_BACK) {
        end_at(self, time);
    }
    if (interval > 0)
        take_interval(self, interval);
    make_column(self, time);
    if (self->after_gap)
        report_add_gap(self, time, interval);
    report_add_remark(self);
    self->previous = *time;
    if (timespec_seconds_between(&self->report.last, time) > 0)
        self->report.last = *time;
}
