#include "monitor/stream_cells.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "response/memory.h"

/*
 * Takes one more name into account. Returns whether all names so far have the same prefix, which is
 * *prefix (the first name sets it).
 */
static bool share_prefix(char **prefix, const char *name)
{
    size_t length = comparison_prefix_length(name);
    if (length == 0) {
        return false;
    }
    if (!*prefix) {
        *prefix = memory_format("%.*s", (int)length, name);
        return true;
    }
    return strncmp(*prefix, name, length) == 0; /* to the slash, which ends both */
}

static bool share_prefix_of_part(char **prefix, const server_part_t *part)
{
    bool shared = true;
    for (size_t i = 0; shared && i < part->published_count; i++) {
        shared = share_prefix(prefix, part->published[i].name);
    }
    for (size_t i = 0; shared && i < part->subscription_count; i++) {
        shared = share_prefix(prefix, part->subscriptions[i].topic);
    }
    for (size_t i = 0; shared && i < part->changes->channel_count; i++) {
        const channel_change_t *change = &part->changes->channels[i];
        shared = share_prefix(prefix, (change->after ? change->after : change->before)->name);
    }
    return shared;
}

char *stream_cells_prefix(const comparison_t *comparison)
{
    char *prefix = NULL;
    bool shared = true;
    for (size_t i = 0; shared && i < comparison->part_count; i++) {
        if (comparison->parts[i].changes) {
            shared = share_prefix_of_part(&prefix, &comparison->parts[i]);
        }
    }
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

void stream_cells_rate(text_table_t *table, double rate)
{
    if (!isfinite(rate)) {
        text_table_cell(table, "-");
    } else if (rate > 0 && rate < 0.05) {
        text_table_cell(table, "<0.1");
    } else {
        text_table_cellf(table, "%.1f", rate);
    }
}

void stream_cells_micros(text_table_t *table, double micros)
{
    if (isfinite(micros)) {
        text_table_cellf(table, micros < 10 ? "%.1f" : "%.0f", micros);
    } else {
        text_table_cell(table, "-");
    }
}
