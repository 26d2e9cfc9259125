#include "monitor/view/text/totals_text.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/memory.h"
#include "monitor/view/ranking.h"
#include "monitor/view/text/duration_text.h"
#include "monitor/view/text/stream_cells.h"
#include "monitor/view/text/text_table.h"

static const counters_t *counters_of(total_kind_t kind)
{
    return kind == TOTAL_PUBLISHED ? &counters_of_publisher : &counters_of_subscription;
}

static const void *counts_of(const total_t *total, total_kind_t kind)
{
    return kind == TOTAL_PUBLISHED ? (const void *)&total->pushed : &total->received;
}

static bool is_worth_a_row(const total_t *total)
{
    if (total->kind == TOTAL_SERVER)
        return total->failures > 0 || total->restarts > 0;
    const counters_t *counters = counters_of(total->kind);
    for (size_t i = 0; i < counters->count; i++)
        if (counter_of(&counters->list[i], counts_of(total, total->kind)) > 0)
            return true;
    return total_not_received(total) > 0;
}

static void add_losses(text_table_t *table, const total_t *total)
{
    if (total_lost_is_unknown(total))
        text_table_cell(table, NULL);
    else
        stream_cells_lost(table, total->received.lost_event_count, total->lost_is_minimum,
                          total->is_derived);
    /* If the publisher isn't watched, the cell is empty, not "-". */
    if (total->knows_not_received)
        stream_cells_count(table, total_not_received(total));
    else
        text_table_cell(table, "");
}

static void add_rate(text_table_t *table, int64_t events, double seconds)
{
    if (seconds > 0)
        text_table_cellf(table, "%.1f", (double)events / seconds);
    else
        text_table_cell(table, NULL);
}

/* The first counter is that of the events, which have a rate. */
static void add_counters(text_table_t *table, const total_t *total, total_kind_t kind,
                         double seconds)
{
    const counters_t *counters = counters_of(kind);
    const void *counts = counts_of(total, kind);
    for (size_t i = 0; i < counters->count; i++) {
        const counter_t *counter = &counters->list[i];
        if (!counter->in_totals)
            continue;
        if (counter->kind == COUNTER_LOST)
            add_losses(table, total);
        else
            text_table_cellf(table, "%" PRId64, counter_of(counter, counts));
        if (i == 0)
            add_rate(table, counter_of(counter, counts), seconds);
    }
}

static void add_counter_columns(text_table_t *table, total_kind_t kind)
{
    const counters_t *counters = counters_of(kind);
    for (size_t i = 0; i < counters->count; i++) {
        const counter_t *counter = &counters->list[i];
        const bool lost = counter->kind == COUNTER_LOST;
        if (!counter->in_totals)
            continue;
        text_table_column(table, lost ? "LOST" : counter->heading, TEXT_TABLE_RIGHT);
        if (lost)
            text_table_column(table, "not received", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
        if (i == 0)
            text_table_column(table, "rate [1/s]", TEXT_TABLE_RIGHT);
    }
}

static void add_row(text_table_t *table, const total_t *total, double seconds)
{
    if (total->kind == TOTAL_SERVER) {
        text_table_cell(table, total->server);
        text_table_cellf(table, "%" PRId64, total->polls);
        text_table_cellf(table, "%" PRId64, total->failures);
        text_table_cellf(table, "%" PRId64, total->restarts);
        return;
    }
    text_table_cell(table, total->name);
    add_counters(table, total, total->kind, seconds);
    text_table_cell(table, total->server);
}

static void add_rest(text_table_t *table, const totals_rest_t *rest, total_kind_t kind)
{
    if (rest->streams == 0)
        return;
    text_table_cellf(table, "(%zu more)", rest->streams);
    add_counters(table, &rest->sum, kind, 0);
}

static void print_kind(const totals_t *self, const ranking_totals_t *rows, total_kind_t kind,
                       FILE *out, const text_style_t *style)
{
    static const char *const headings[] = {[TOTAL_SERVER] = "server",
                                           [TOTAL_PUBLISHED] = "published event stream",
                                           [TOTAL_SUBSCRIBED] = "subscription"};
    text_table_t *table = text_table_new();
    text_table_column(table, headings[kind], TEXT_TABLE_LEFT);
    if (kind == TOTAL_SERVER) {
        text_table_column(table, "polls", TEXT_TABLE_RIGHT);
        text_table_column(table, "failed", TEXT_TABLE_RIGHT);
        text_table_column(table, "restarts", TEXT_TABLE_RIGHT);
    } else {
        add_counter_columns(table, kind);
        text_table_column(table, "by", TEXT_TABLE_LEFT);
    }
    bool derived = false;
    for (size_t i = 0; i < rows->count; i++) {
        const total_t *total = rows->rows[i];
        if (total->kind != kind || !is_worth_a_row(total))
            continue;
        add_row(table, total, totals_seconds_of(self, total->server));
        derived |= total->is_derived && !total_lost_is_unknown(total);
    }
    add_rest(table, totals_rest_of(self, kind), kind);
    text_table_print(table, out, "  ", style);
    text_table_destroy(&table);
    if (derived)
        fputs("  " STREAM_CELLS_DERIVED " since each subscription was first seen\n", out);
}

static char *losses_text(const totals_sums_t *sums)
{
    const int64_t lost = sums->sum.received.lost_event_count;
    if (sums->subscriptions == 0)
        return memory_string("no subscriptions watched");
    if (!sums->sum.knows_lost || (lost == 0 && sums->untold == sums->subscriptions))
        return memory_string("whether events were LOST isn't known");
    if (lost == 0 && sums->sum.lost_is_minimum && sums->untold == 0)
        return memory_format(
            "no events known to be LOST, but some of %zu subscriptions don't report losses",
            sums->subscriptions);
    if (lost == 0 && sums->sum.lost_is_minimum)
        return memory_format(
            "no events known to be LOST, but %zu of %zu subscriptions don't report losses",
            sums->untold, sums->subscriptions);
    return memory_format("%s%" PRId64 " events LOST", sums->sum.lost_is_minimum ? ">=" : "", lost);
}

char *totals_text_losses(const totals_t *self)
{
    const totals_sums_t sums = totals_sum_up(self);
    return losses_text(&sums);
}

void totals_text_print(FILE *out, const totals_t *self, const text_style_t *style)
{
    const totals_sums_t sums = totals_sum_up(self);
    if (sums.polls < 2)
        return;
    fprintf(out, "In all: %zu polls of %zu %s in ", sums.polls, sums.servers,
            sums.servers == 1 ? "server" : "servers");
    char *duration = duration_text(sums.seconds, 1);
    char *losses = losses_text(&sums);
    fprintf(out, "%s, %" PRId64 " failed; %s", duration, sums.sum.failures, losses);
    free(losses);
    free(duration);
    if (total_not_received(&sums.sum) > 0)
        fprintf(out, ", %" PRId64 " not received", total_not_received(&sums.sum));
    fputc('\n', out);
    ranking_totals_t rows = ranking_of_totals(self);
    print_kind(self, &rows, TOTAL_SERVER, out, style);
    print_kind(self, &rows, TOTAL_PUBLISHED, out, style);
    print_kind(self, &rows, TOTAL_SUBSCRIBED, out, style);
    free(rows.rows);
    fputc('\n', out);
}
