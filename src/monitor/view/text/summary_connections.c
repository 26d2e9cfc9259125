#include <string.h>

#include "monitor/view/text/stream_cells.h"
#include "monitor/view/text/summary_parts.h"
#include "response/names.h"

static void add_endpoint(text_table_t *table, const char *shown, bool changed, const char *before)
{
    text_table_cell(table, shown);
    if (changed)
        text_table_cellf(table, "(was %s)", before ? before : "-");
    else
        text_table_cell(table, "");
}

static bool is_other(const char *before, const char *now)
{
    return before ? !now || strcmp(before, now) != 0 : now != NULL;
}

static void add_channel(text_table_t *table, const summary_t *self, const server_part_t *part,
                        const channel_row_t *row)
{
    const bool changed = row->change->kind == CHANGE_CHANGED;
    const response_channel_t *shown = row->shown;
    const response_channel_t *before = changed ? row->change->before : shown;
    text_table_cell(table, summary_tag(row->change->kind, part->changes->first));
    text_table_cell(table, summary_short_name(self, shown->name));
    add_endpoint(table, shown->endpoint, is_other(before->endpoint, shown->endpoint),
                 before->endpoint);
    for (size_t i = 0; i < counters_of_channel.count; i++) {
        const counter_t *counter = &counters_of_channel.list[i];
        if (!summary_shows_counter(counter, part))
            continue;
        stream_cells_count(table, counter_of(counter, &shown->counts));
        stream_cells_step(table, counter_of(counter, &row->steps));
    }
    add_endpoint(table, shown->event_endpoint ? shown->event_endpoint : "",
                 is_other(before->event_endpoint, shown->event_endpoint), before->event_endpoint);
    text_table_cell(table, shown->last_heartbeat ? shown->last_heartbeat : "");
}

void summary_print_channels(const summary_t *self, const server_part_t *part)
{
    text_table_t *table = text_table_new();
    text_table_column(table, "", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "event channel", TEXT_TABLE_LEFT);
    text_table_column(table, "endpoint", TEXT_TABLE_LEFT);
    text_table_column(table, "", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL | TEXT_TABLE_JOINED);
    for (size_t i = 0; i < counters_of_channel.count; i++)
        if (summary_shows_counter(&counters_of_channel.list[i], part))
            stream_cells_count_columns(table, &counters_of_channel.list[i],
                                       counters_of_channel.list[i].heading);
    text_table_column(table, "events from", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL | TEXT_TABLE_JOINED);
    text_table_column(table, "last heartbeat", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    for (size_t i = 0; i < part->channel_count; i++)
        add_channel(table, self, part, &part->channels[i]);
    summary_print_table(self, table);
}

void summary_print_not_connected(const summary_t *self, const shown_server_t *server)
{
    text_table_t *table = text_table_new();
    text_table_column(table, "", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "not connected", TEXT_TABLE_LEFT);
    text_table_column(table, "event type", TEXT_TABLE_LEFT);
    text_table_column(table, "last heartbeat", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "tango host", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    for (size_t i = 0; i < server->not_connected_count; i++) {
        const not_connected_change_t *change = server->not_connected[i];
        const response_not_connected_t *shown = change->after ? change->after : change->before;
        text_table_cell(table, summary_tag(change->kind, server->part->changes->first));
        const char *device = summary_short_name(self, shown->device);
        text_table_cellf(table, "%s%s%s", device, *shown->attribute ? "/" : "", shown->attribute);
        text_table_cell(table, shown->event_type);
        text_table_cell(table, shown->last_heartbeat ? shown->last_heartbeat : "");
        /* A device with its own prefix says where it is itself. */
        const bool says_host = shown->tango_host && names_prefix_length(shown->device) == 0;
        text_table_cell(table, says_host ? shown->tango_host : "");
    }
    summary_print_table(self, table);
}
