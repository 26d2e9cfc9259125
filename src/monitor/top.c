#include "monitor/top.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "monitor/stream_cells.h"
#include "response/memory.h"

static double value_of(const subscription_row_t *row, top_key_t key)
{
    switch (key) {
    case TOP_LOSS:
        return (double)row->new_losses;
    case TOP_RATE:
        return row->rate;
    case TOP_LATENCY:
        return row->latency.percentile_99_micros;
    case TOP_PROCESSING:
        return row->processing.percentile_99_micros;
    }
    return NAN;
}

/* Highest first; equal ones in the order in which they were found. */
static int compare_rows(const void *a, const void *b)
{
    const top_row_t *left = a;
    const top_row_t *right = b;
    if (left->value != right->value)
        return left->value < right->value ? 1 : -1;
    if (left->part != right->part)
        return left->part < right->part ? -1 : 1;
    if (left->subscription != right->subscription)
        return left->subscription < right->subscription ? -1 : 1;
    return left->published < right->published ? -1 : left->published > right->published;
}

top_row_t *top_rows_new(const comparison_t *comparison, const summary_options_t *options,
                        size_t *count)
{
    size_t room = 0;
    for (size_t i = 0; i < comparison->part_count; i++)
        room += comparison->parts[i].published_count + comparison->parts[i].subscription_count;
    top_row_t *rows = memory_new(room, sizeof *rows);
    *count = 0;
    for (size_t i = 0; i < comparison->part_count; i++) {
        const server_part_t *part = &comparison->parts[i];
        for (size_t j = 0; j < part->subscription_count; j++) {
            const double value = value_of(&part->subscriptions[j], options->top_key);
            if (value > 0)
                rows[(*count)++] = (top_row_t){
                    .part = part, .subscription = &part->subscriptions[j], .value = value};
        }
        for (size_t j = 0; options->top_key == TOP_RATE && j < part->published_count; j++)
            if (part->published[j].rate > 0)
                rows[(*count)++] = (top_row_t){.part = part,
                                               .published = &part->published[j],
                                               .value = part->published[j].rate};
    }
    qsort(rows, *count, sizeof *rows, compare_rows);
    if (*count > options->top)
        *count = options->top;
    return rows;
}

void top_print(FILE *out, const comparison_t *comparison, const char *prefix,
               const summary_options_t *options)
{
    static const char *const headings[] = {
        [TOP_LOSS] = "stream (most losses first)",
        [TOP_RATE] = "stream (highest rate first)",
        [TOP_LATENCY] = "stream (longest latency first)",
        [TOP_PROCESSING] = "stream (longest callbacks first)",
    };
    text_table_t *table = text_table_new();
    text_table_column(table, headings[options->top_key], TEXT_TABLE_LEFT);
    text_table_column(table, "", TEXT_TABLE_LEFT);
    text_table_column(table, "by", TEXT_TABLE_LEFT);
    text_table_column(table, "rate [1/s]", TEXT_TABLE_RIGHT);
    text_table_column(table, "LOST", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "latency [us] median", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "99 %", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "callbacks [us] median", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "99 %", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    size_t count = 0;
    top_row_t *rows = top_rows_new(comparison, options, &count);
    for (size_t i = 0; i < count; i++) {
        const subscription_row_t *subscription = rows[i].subscription;
        const published_row_t *published = rows[i].published;
        text_table_cell(table, stream_cells_short_name(prefix, published ? published->name
                                                                         : subscription->topic));
        text_table_cell(table, published ? "pushed" : "received");
        text_table_cell(table, rows[i].part->reply->server);
        stream_cells_rate(table, published ? published->rate : subscription->rate);
        if (published) {
            for (int column = 0; column < 5; column++)
                text_table_cell(table, "-");
            continue;
        }
        if (subscription->new_losses > 0) {
            text_table_cellf(table, "%" PRId64, subscription->new_losses);
            text_table_row_color(table, COLOR_ALARM);
        } else {
            text_table_cell(table, "-");
        }
        stream_cells_micros(table, subscription->latency.median_micros);
        stream_cells_micros(table, subscription->latency.percentile_99_micros);
        stream_cells_micros(table, subscription->processing.median_micros);
        stream_cells_micros(table, subscription->processing.percentile_99_micros);
    }
    text_table_print(table, out, "  ", &options->style);
    text_table_destroy(&table);
    free(rows);
}
