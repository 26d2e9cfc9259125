#include "monitor/view/text/stream_cells.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "response/names.h"

/*
 * Takes one more name into account. Returns whether all names so far have the same prefix, which is
 * *prefix (the first name sets it).
 */
static bool share_prefix(char **prefix, const char *name)
{
    size_t length = names_prefix_length(name);
    if (length == 0)
        return false;
    if (!*prefix) {
        *prefix = memory_format("%.*s", (int)length, name);
        return true;
    }
    return strncmp(*prefix, name, length) == 0; /* to the slash, which ends both */
}

static bool share_prefix_of_server(char **prefix, const shown_server_t *server)
{
    bool shared = true;
    for (size_t i = 0; shared && i < server->published_count; i++)
        shared = share_prefix(prefix, server->published[i]->name);
    for (size_t i = 0; shared && i < server->subscription_count; i++)
        shared = share_prefix(prefix, server->subscriptions[i]->topic);
    const changes_t *changes = server->part->changes;
    for (size_t i = 0; shared && i < changes->channel_count; i++) {
        const channel_change_t *change = &changes->channels[i];
        shared = share_prefix(prefix, (change->after ? change->after : change->before)->name);
    }
    return shared;
}

char *stream_cells_prefix(const shown_t *shown)
{
    char *prefix = NULL;
    bool shared = true;
    for (size_t i = 0; shared && i < shown->count; i++)
        if (shown->servers[i].part->changes)
            shared = share_prefix_of_server(&prefix, &shown->servers[i]);
    if (!shared) {
        free(prefix);
        prefix = NULL;
    }
    return prefix;
}

const char *stream_cells_short_name(const char *prefix, const char *name)
{
    const size_t length = prefix ? strlen(prefix) : 0;
    return length > 0 && strncmp(name, prefix, length) == 0 ? name + length : name;
}

void stream_cells_count(text_table_t *table, int64_t count)
{
    text_table_cell(table, value_text_count(count).text);
}

void stream_cells_count_columns(text_table_t *table, const counter_t *counter, const char *heading)
{
    text_table_column(table, heading,
                      TEXT_TABLE_RIGHT | (counter->agent_only ? TEXT_TABLE_OPTIONAL : 0));
    text_table_column(table, "", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL | TEXT_TABLE_JOINED);
}

void stream_cells_step(text_table_t *table, int64_t step)
{
    text_table_cell(table, value_text_step(step).text);
}

void stream_cells_lost(text_table_t *table, int64_t lost, bool is_minimum, bool is_derived)
{
    text_table_cell(table, value_text_lost(lost, is_minimum, is_derived).text);
}

void stream_cells_rate(text_table_t *table, double rate)
{
    text_table_cell(table, value_text_rate(rate).text);
}

void stream_cells_durations(text_table_t *table, const duration_t *duration)
{
    if (duration->count == 0) {
        text_table_cell(table, "");
        text_table_cell(table, "");
        return;
    }
    text_table_cell(table, value_text_micros(duration->median_micros).text);
    text_table_cell(table, value_text_micros(duration->percentile_99_micros).text);
}
