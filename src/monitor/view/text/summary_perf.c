#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/printable.h"
#include "monitor/analysis/perf_rows.h"
#include "monitor/view/text/summary_parts.h"

static text_table_t *new_perf_table(const char *heading)
{
    text_table_t *table = text_table_new();
    text_table_column(table, heading, TEXT_TABLE_LEFT);
    text_table_column(table, "count", TEXT_TABLE_RIGHT);
    text_table_column(table, "mean", TEXT_TABLE_RIGHT);
    text_table_column(table, printable_plus_minus(), TEXT_TABLE_LEFT | TEXT_TABLE_JOINED);
    text_table_column(table, "std error", TEXT_TABLE_RIGHT | TEXT_TABLE_JOINED);
    static const char *const headings[] = {"min", "1 %", "10 %", "median", "90 %", "99 %", "max"};
    for (size_t i = 0; i < sizeof headings / sizeof *headings; i++)
        text_table_column(table, headings[i], TEXT_TABLE_RIGHT);
    return table;
}

static void add_number(text_table_t *table, double value, int decimals)
{
    if (isfinite(value))
        text_table_cellf(table, "%.*f", decimals, value);
    else
        text_table_cell(table, NULL);
}

static void print_rows(const summary_t *self, const char *heading, const perf_row_t *rows,
                       size_t count)
{
    text_table_t *table = new_perf_table(heading);
    for (size_t i = 0; i < count; i++) {
        const statistics_t *statistics = &rows[i].statistics;
        text_table_cell(table, rows[i].label);
        text_table_cellf(table, "%zu", statistics->count);
        add_number(table, statistics->mean, 1);
        text_table_cell(table, isfinite(statistics->standard_error) ? printable_plus_minus() : "");
        add_number(table, statistics->standard_error, 1);
        add_number(table, statistics->minimum, 0);
        add_number(table, statistics->percentile_1, 0);
        add_number(table, statistics->percentile_10, 0);
        add_number(table, statistics->median, 0);
        add_number(table, statistics->percentile_90, 0);
        add_number(table, statistics->percentile_99, 0);
        add_number(table, statistics->maximum, 0);
    }
    summary_print_table(self, table);
}

static void print_samples(const summary_t *self, const response_t *response, perf_side_t side)
{
    size_t count = 0;
    perf_row_t *rows = perf_rows_new(response, side, &count);
    const size_t discarded = side == PERF_RECEIVED ? perf_discarded_count(response) : 0;
    char *heading = memory_string(side == PERF_PUSHED ? "events pushed" : "events received");
    if (discarded > 0) {
        free(heading);
        heading = memory_format("events received (without %zu discarded)", discarded);
    }
    print_rows(self, heading, rows, count);
    free(heading);
    free(rows);
}

static void print_attributes(const summary_t *self, const response_t *response)
{
    size_t count = 0;
    perf_row_t *rows = perf_rows_by_attribute(response, &count);
    print_rows(self, "process [us], by attribute", rows, count);
    free(rows);
}

void summary_print_perf(const summary_t *self, const response_t *response)
{
    bool on = response->push_perf_on || response->receive_perf_on;
    if (!on && (response->has_server || response->has_client))
        fputs(SUMMARY_INDENT "performance monitoring is off\n", self->out);
    print_samples(self, response, PERF_PUSHED);
    print_samples(self, response, PERF_RECEIVED);
    if (self->options->verbose)
        print_attributes(self, response);
}
