#include "monitor/view/text/summary_parts.h"
#include "response/names.h"

void summary_print_channels(const summary_t *self, const server_part_t *part)
{
    text_table_t *table = text_table_new();
    text_table_column(table, "", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "event channel", TEXT_TABLE_LEFT);
    text_table_column(table, "endpoint", TEXT_TABLE_LEFT);
    text_table_column(table, "", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL | TEXT_TABLE_JOINED);
    for (size_t i = 0; i < part->changes->channel_count; i++) {
        const channel_change_t *change = &part->changes->channels[i];
        const response_channel_t *shown = change->after ? change->after : change->before;
        text_table_cell(table, summary_tag(change->kind, part->changes->first));
        text_table_cell(table, summary_short_name(self, shown->name));
        text_table_cell(table, shown->endpoint);
        if (change->kind == CHANGE_CHANGED) {
            const char *before = change->before->endpoint;
            text_table_cellf(table, "(was %s)", before ? before : "-");
        } else {
            text_table_cell(table, "");
        }
    }
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
