#include "monitor/view/text/top.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/memory.h"
#include "monitor/view/text/stream_cells.h"

/* Why there is nothing to show. */
static void print_nothing(FILE *out, const shown_t *shown, const summary_options_t *options)
{
    const bool by_duration = options->top_key == TOP_LATENCY || options->top_key == TOP_PROCESSING;
    bool answered = false;
    bool only_first = true;
    bool agent = false;
    for (size_t i = 0; i < shown->count; i++) {
        const server_part_t *part = shown->servers[i].part;
        answered |= part->changes != NULL;
        only_first &= !part->changes || part->changes->first;
        agent |= part->changes && part->reply->response->dialect == RESPONSE_AGENT;
    }
    if (!answered)
        return;
    if (by_duration && !agent)
        fputs("  no durations: only servers with the agent report them for each stream\n", out);
    else if (by_duration && !options->perf)
        fputs("  no durations: they are measured with --monitor-perf (-m)\n", out);
    else if (options->top_key == TOP_RATE && only_first)
        fputs("  no rates yet: they need two answers of a server\n", out);
    else if (options->top_key == TOP_LOSS)
        fputs(only_first ? "  no known losses before this poll\n"
                         : "  no known losses since the previous poll\n",
              out);
    else
        fputs("  no events since the previous poll\n", out);
}

static void add_published(text_table_t *table, const published_row_t *row, const char *server)
{
    text_table_cell(table, "pushed");
    text_table_cell(table, server);
    stream_cells_rate(table, row->rate);
    for (int column = 0; column < 6; column++)
        text_table_cell(table, "");
}

/* first: there was no answer before, since when events could be lost. */
static void add_subscription(text_table_t *table, const subscription_row_t *row, const char *server,
                             bool first)
{
    const loss_t *loss = &row->loss;
    text_table_cell(table, "received");
    text_table_cell(table, server);
    stream_cells_rate(table, row->rate);
    if (first)
        text_table_cell(table, "");
    else if (loss->source == LOSS_UNKNOWN && row->new_losses == 0)
        text_table_cell(table, NULL);
    else
        stream_cells_lost(table, row->new_losses, row->only_misses || loss->step_is_minimum,
                          loss->source == LOSS_DERIVED);
    stream_cells_lost(table, row->earlier_losses,
                      row->earlier_losses > 0 && (row->only_misses || loss->is_minimum), false);
    if (row->new_losses > 0)
        text_table_row_color(table, COLOR_ALARM);
    stream_cells_durations(table, &row->latency);
    stream_cells_durations(table, &row->processing);
}

void top_print(FILE *out, const shown_t *shown, const char *prefix,
               const summary_options_t *options)
{
    static const char *const headings[] = {
        [TOP_LOSS] = "stream (most losses first)",
        [TOP_RATE] = "stream (highest rate first)",
        [TOP_LATENCY] = "stream (longest latency first)",
        [TOP_PROCESSING] = "stream (longest callbacks first)",
    };
    size_t count = 0;
    ranking_row_t *rows = ranking_new(shown, options->top_key, options->top, &count);
    text_table_t *table = text_table_new();
    text_table_column(table, headings[options->top_key], TEXT_TABLE_LEFT);
    text_table_column(table, "", TEXT_TABLE_LEFT);
    text_table_column(table, "by", TEXT_TABLE_LEFT);
    text_table_column(table, "rate [1/s]", TEXT_TABLE_RIGHT);
    text_table_column(table, "LOST", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "lost before", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "latency [us] median", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "99 %", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "callbacks [us] median", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "99 %", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    bool derived = false;
    for (size_t i = 0; i < count; i++) {
        const subscription_row_t *subscription = rows[i].subscription;
        const server_part_t *part = rows[i].server->part;
        const char *server = part->reply->server;
        const bool first = part->changes->first;
        const char *name = subscription ? subscription->topic : rows[i].published->name;
        text_table_cell(table, stream_cells_short_name(prefix, name));
        if (subscription)
            add_subscription(table, subscription, server, first);
        else
            add_published(table, rows[i].published, server);
        derived |= subscription && !first && subscription->loss.source == LOSS_DERIVED;
    }
    text_table_print(table, out, "  ", &options->style);
    text_table_destroy(&table);
    free(rows);
    if (count == 0)
        print_nothing(out, shown, options);
    else if (derived)
        fputs("  " STREAM_CELLS_DERIVED " since the previous answer\n", out);
}
