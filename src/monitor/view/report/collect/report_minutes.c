#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/timespec.h"
#include "monitor/view/report/collect/report_parts.h"

#define SECONDS_OF_MINUTE 60

static struct timespec minute_of(const struct timespec *time)
{
    time_t within = time->tv_sec % SECONDS_OF_MINUTE;
    if (within < 0)
        within += SECONDS_OF_MINUTE;
    return (struct timespec){.tv_sec = time->tv_sec - within};
}

static int compare_minutes(const report_minute_t *left, const report_minute_t *right)
{
    if (left->lost != right->lost)
        return left->lost > right->lost ? -1 : 1;
    if (left->failures != right->failures)
        return left->failures > right->failures ? -1 : 1;
    if (left->restarts != right->restarts)
        return left->restarts > right->restarts ? -1 : 1;
    return 0;
}

/* ---- which stream lost most ---- */

/* The losses of one subscription in the minute. */
typedef struct {
    uint64_t hash;
    const char *stream;
    int64_t lost;
} minute_loss_t;

static int compare_hashes(const void *a, const void *b)
{
    const minute_loss_t *left = a;
    const minute_loss_t *right = b;
    return left->hash < right->hash ? -1 : left->hash > right->hash;
}

/* A copy of its name; NULL: no row lost anything. */
static char *stream_of_most(const report_collector_t *self)
{
    const size_t row_count = self->report.row_count;
    minute_loss_t *losses = memory_new(row_count, sizeof *losses);
    size_t count = 0;
    for (size_t i = 0; i < row_count; i++) {
        const report_kept_row_t *row = report_kept_row(self, i);
        if (row->minute == self->minute && row->minute_lost > 0)
            losses[count++] = (minute_loss_t){
                .hash = row->stream_hash, .stream = row->row.stream, .lost = row->minute_lost};
    }
    if (count > 1)
        qsort(losses, count, sizeof *losses, compare_hashes);
    minute_loss_t most = {0};
    for (size_t i = 0; i < count;) {
        minute_loss_t sum = losses[i++];
        for (; i < count && losses[i].hash == sum.hash; i++)
            sum.lost = changes_sum(sum.lost, losses[i].lost);
        if (sum.lost > most.lost)
            most = sum;
    }
    char *stream = memory_string(most.stream);
    free(losses);
    return stream;
}

/* ---- the list ---- */

/* Whether the present minute belongs to a sorted list of so many at most. */
static bool belongs(const report_collector_t *self, report_minute_t *minute)
{
    const report_column_t *sum = &self->minute_sum;
    *minute = (report_minute_t){.begin = self->minute_begin,
                                .pushed = sum->pushed,
                                .received = sum->received,
                                .lost = sum->lost,
                                .failures = sum->failures,
                                .restarts = sum->restarts,
                                .latency = sum->latency,
                                .processing = sum->processing};
    if (self->minute == 0 || (sum->lost == 0 && sum->failures == 0 && sum->restarts == 0))
        return false;
    return self->worst_count < REPORT_MINUTES ||
           compare_minutes(minute, &self->worst[REPORT_MINUTES - 1]) < 0;
}

/* Inserts it; what is beyond the maximum is left out, and returned. */
static report_minute_t insert(report_minute_t *list, size_t *count, const report_minute_t *minute)
{
    report_minute_t out = {0};
    if (*count == REPORT_MINUTES)
        out = list[--*count];
    size_t at = *count;
    for (; at > 0 && compare_minutes(minute, &list[at - 1]) < 0; at--)
        list[at] = list[at - 1];
    list[at] = *minute;
    ++*count;
    return out;
}

static void end_minute(report_collector_t *self)
{
    report_minute_t minute;
    if (!belongs(self, &minute))
        return;
    minute.stream = minute.lost > 0 ? stream_of_most(self) : NULL;
    const report_minute_t out = insert(self->worst, &self->worst_count, &minute);
    free(out.stream);
}

void report_begin_minute(report_collector_t *self, const struct timespec *time)
{
    const struct timespec begin = minute_of(time);
    const double later = timespec_seconds_between(&self->minute_begin, &begin);
    if (self->minute > 0 && later <= 0 && later >= -REPORT_SET_BACK)
        return;
    end_minute(self);
    self->minute++;
    self->minute_begin = begin;
    self->minute_sum = report_no_column;
}

void report_add_loss_to_minute(const report_collector_t *self, report_kept_row_t *row, int64_t lost)
{
    if (row->minute != self->minute)
        row->minute_lost = 0;
    row->minute = self->minute;
    report_sum(&row->minute_lost, lost);
}

void report_prune_minutes(report_collector_t *self)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->worst_count; i++)
        if (timespec_seconds_between(&self->report.axis.begin, &self->worst[i].begin) < 0)
            free(self->worst[i].stream);
        else
            self->worst[kept++] = self->worst[i];
    self->worst_count = kept;
}

void report_settle_minutes(report_collector_t *self)
{
    report_t *report = &self->report;
    report_minute_t minute;
    free(report->minutes);
    free(self->stream_of_minute);
    self->stream_of_minute = NULL;
    report->minutes = memory_new(REPORT_MINUTES, sizeof *report->minutes);
    report->minute_count = self->worst_count;
    for (size_t i = 0; i < self->worst_count; i++)
        report->minutes[i] = self->worst[i];
    if (!belongs(self, &minute))
        return;
    minute.stream = self->stream_of_minute = minute.lost > 0 ? stream_of_most(self) : NULL;
    (void)insert(report->minutes, &report->minute_count, &minute);
}

void report_free_minutes(report_collector_t *self)
{
    for (size_t i = 0; i < self->worst_count; i++)
        free(self->worst[i].stream);
    free(self->stream_of_minute);
    free(self->report.minutes);
}
